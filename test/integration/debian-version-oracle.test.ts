/** dpkg compares the same versions. One process for each pair, hence only a few hundred. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {compareDebianVersions, DebianVersionError, parseDebianVersion} from '../../formats/debian-version.ts';
import {exec} from '../../platform/exec.ts';
import {debianVersion} from '../support/debian-versions.ts';
import {fc} from '../support/property.ts';
import {skipWithout} from '../support/tool.ts';

const PAIRS = 300;

describe('dpkg --compare-versions', {skip: await skipWithout(['dpkg'], 'dpkg')}, () => {
  it('agrees about generated pairs', async () => {
    const pairs = fc.sample(fc.tuple(debianVersion(), debianVersion()), PAIRS);
    const verdicts = new Set<number>();
    for (const [a, b] of pairs) {
      const expected = Math.sign(compareDebianVersions(a, b));
      verdicts.add(expected);
      const relation = expected < 0 ? 'lt' : expected > 0 ? 'gt' : 'eq';
      await exec(['dpkg', '--compare-versions', a, relation, b]);
    }
    assert.ok(verdicts.size >= 2, 'the generator makes only one kind of pair');
  });

  it('agrees about which texts are versions', async () => {
    for (const text of [
      '1:2:3-4',
      '1.0-',
      '1:',
      '1:a',
      'a',
      '1_2',
      '1-2-3',
      '1--1',
      '0~',
      '1.0:2',
      '99999999999:1',
    ]) {
      const {stderr, exitCode} = await exec(['dpkg', '--compare-versions', text, 'eq', text], {
        okCodes: [0, 2],
      });
      const isOkForDpkg = exitCode === 0 && !stderr.includes('bad syntax');
      let isOkForUs = true;
      try {
        parseDebianVersion(text);
      } catch (error) {
        assert.ok(error instanceof DebianVersionError);
        isOkForUs = false;
      }
      assert.equal(isOkForUs, isOkForDpkg, `${text}: ${stderr}`);
    }
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  compareDebianVersions,
  DebianVersionError,
  parseDebianVersion,
} from '../../../formats/debian-version.ts';
import {debianVersion} from '../../support/debian-versions.ts';
import {fc} from '../../support/property.ts';

describe('parseDebianVersion', () => {
  it('splits at the first colon and the last dash', () => {
    assert.deepEqual(parseDebianVersion('2:1.0-rc:1-3+b1'), {
      epoch: 2,
      upstream: '1.0-rc:1',
      revision: '3+b1',
    });
    assert.deepEqual(parseDebianVersion('20250101~git1'), {
      epoch: 0,
      upstream: '20250101~git1',
      revision: '',
    });
  });

  it('refuses what dpkg refuses', () => {
    const bad = [
      '',
      'a1',
      ':1',
      '1:',
      '1:a',
      '1.0:2',
      '1-',
      '1-2_3',
      '1 0',
      '-1',
      'é',
      '1\n',
      '2147483648:1',
      `1${'0'.repeat(600)}`,
    ];
    for (const text of bad) assert.throws(() => parseDebianVersion(text), DebianVersionError, text);
  });
});

describe('compareDebianVersions', () => {
  it('sorts as Debian Policy has it', () => {
    const ascending = [
      '0~~', '0~~a', '0~', '0', '0a', '0+', '1~rc1-1', '1-1~bpo12', '1-1', '1-1+b1', '1-1+deb13u1', '1-2', '1-10',
      '1.0.9', '1.0.10', '1.0.10a', '1.0.10+dfsg', '99999999999999999998', '99999999999999999999', '1:0',
    ]; // prettier-ignore
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) {
        assert.equal(Math.sign(compareDebianVersions(a, b)), Math.sign(i - j), `${a} and ${b}`);
      }
    }
  });

  it('finds texts equal that mean the same', () => {
    for (const [a, b] of [
      ['1.0', '1.00'],
      ['1', '0:1'],
      ['1', '1-0'],
      ['1.0', '1.'],
    ] as const) {
      assert.equal(compareDebianVersions(a, b), 0);
    }
  });

  it('is an order: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(debianVersion(), debianVersion(), debianVersion(), (a, b, c) => {
        const [ab, bc, ac] = [
          compareDebianVersions(a, b),
          compareDebianVersions(b, c),
          compareDebianVersions(a, c),
        ];
        assert.equal(Math.sign(ab), -Math.sign(compareDebianVersions(b, a)));
        if (ab <= 0 && bc <= 0) assert.ok(ac <= 0);
      }),
      {numRuns: 2000},
    );
  });
});

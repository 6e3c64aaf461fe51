import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {readKeyLine} from '../../../formats/ssh-public-key.ts';
import {TEST_KEY} from '../../fixtures/cloud-configs.ts';
import {fc} from '../../support/property.ts';

const problem = (line: string, options = true): string => {
  const result = readKeyLine(line, {options});
  return result.kind === 'bad' ? result.problem : '';
};

describe('readKeyLine', () => {
  it('takes a key with and without name, and options where they are allowed', () => {
    assert.equal(problem(TEST_KEY), '');
    assert.equal(problem(TEST_KEY.split(' ').slice(0, 2).join(' ')), '');
    const limited = `from="10.0.0.0/8,::1",command="echo \\"a b\\"",no-pty ${TEST_KEY}`;
    assert.equal(problem(limited), '');
    assert.match(problem(limited, false), /no public key/);
  });

  it('refuses what sshd would pass over', () => {
    const [type = '', blob = ''] = TEST_KEY.split(' ');
    assert.match(problem(`${type} ${blob.slice(0, -4)}`), /not followed/);
    assert.match(problem(`${type} ${blob.slice(0, 20)}!${blob.slice(21)}`), /not followed/);
    assert.match(problem(`ssh-rsa ${blob}`), /not followed/);
    assert.match(problem('ssh-dss AAAA'), /DSA/);
    assert.match(problem('-----BEGIN OPENSSH PRIVATE KEY-----'), /private key/);
    assert.match(problem(`${TEST_KEY}\nssh-rsa AAAA`), /line break/);
    assert.match(problem(''), /no public key/);
  });

  it('answers for any text', () => {
    fc.assert(fc.property(fc.string(), (text) => void readKeyLine(text, {options: true})));
  });
});

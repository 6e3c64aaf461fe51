import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {commandLine} from '../../../cli/ssh.ts';

describe('commandLine', () => {
  it('is nothing for a login', () => {
    assert.deepEqual(commandLine([]), []);
  });

  it('leaves a single word to the shell of the machine, as a line', () => {
    assert.deepEqual(commandLine(['systemctl --failed; df -h | tail -1']), [
      'systemctl --failed; df -h | tail -1',
    ]);
  });

  it('makes one line of several words that the shell splits into exactly these', () => {
    assert.deepEqual(commandLine(['ls', '-l']), ['ls -l']);
    assert.deepEqual(commandLine(['echo', 'a b', '$HOME', "it's", '']), [`echo 'a b' '$HOME' 'it'\\''s' ''`]);
  });
});

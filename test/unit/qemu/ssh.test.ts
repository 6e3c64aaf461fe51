import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {exec} from '../../../platform/exec.ts';
import {remoteCommand, sshArguments, type SshTarget} from '../../../qemu/ssh.ts';
import {fc} from '../../support/property.ts';

const TARGET: SshTarget = {
  port: 2222,
  user: 'core',
  identityFile: '/run/a b/id',
  knownHostsFile: '/run/a %b/known_hosts',
};

describe('remoteCommand', () => {
  it('leaves plain words alone and quotes the rest', () => {
    assert.equal(remoteCommand(['systemctl', 'is-active', 'a@b.service']), 'systemctl is-active a@b.service');
    assert.equal(
      remoteCommand(['echo', "it's", '$HOME', '', '~', 'a=b']),
      `echo 'it'\\''s' '$HOME' '' '~' 'a=b'`,
    );
  });

  it('is read by a shell as the same words', async () => {
    // No NUL: no argument can hold one.
    const word = fc.string({unit: 'binary'}).map((text) => text.replaceAll('\0', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(word, {minLength: 1, maxLength: 5}), async (words) => {
        const command = remoteCommand(['printf', '%s\\0', ...words]);
        const {stdout} = await exec(['sh', '-c', command]);
        assert.deepEqual(stdout.split('\0').slice(0, -1), words);
      }),
      {numRuns: 25},
    );
  });
});

describe('sshArguments', () => {
  it("takes nothing from the user's configuration and asks nothing", () => {
    const argv = sshArguments(TARGET, ['true']);
    assert.deepEqual(argv.slice(0, 4), ['ssh', '-F', 'none', '-T']);
    for (const option of [
      'BatchMode=yes',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      'StrictHostKeyChecking=accept-new',
      'GlobalKnownHostsFile=/dev/null',
      'UserKnownHostsFile="/run/a %%b/known_hosts"',
    ]) {
      assert.equal(argv[argv.indexOf(option) - 1], '-o', option);
    }
    assert.deepEqual(argv.slice(-9), [
      ...['-i', '/run/a b/id', '-p', '2222', '-l', 'core', '--', '127.0.0.1', 'true'],
    ]);
    assert.ok(!argv.some((word) => word.startsWith('Control')));
  });

  it('keeps one connection open where it has a socket for it', () => {
    const argv = sshArguments({...TARGET, controlSocket: '/run/c', host: '::1'}, ['true']);
    for (const option of ['ControlMaster=auto', 'ControlPersist=yes', 'ControlPath="/run/c"', '::1']) {
      assert.ok(argv.includes(option), option);
    }
  });
});

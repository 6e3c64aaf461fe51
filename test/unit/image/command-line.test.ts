import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {kernelCommandLine, liveCommandLine, liveScript} from '../../../image/command-line.ts';

const ROOT_HASH = '0123456789abcdef'.repeat(4);

describe('kernelCommandLine', () => {
  it('binds the kernel to one /usr, by the GUID that its root hash dictates', () => {
    const line = kernelCommandLine(['console=ttyS0,115200', 'quiet'], {
      rootHash: ROOT_HASH,
      hashOffset: 8192,
    });
    const device = '/dev/disk/by-partuuid/01234567-89ab-cdef-0123-456789abcdef';
    assert.deepEqual(line.split(' '), [
      `usrhash=${ROOT_HASH}`,
      `systemd.verity_usr_data=${device}`,
      `systemd.verity_usr_hash=${device}`,
      'systemd.verity_usr_options=hash-offset=8192,panic-on-corruption',
      'mount.usr=/dev/mapper/usr',
      'mount.usrfstype=erofs',
      'mount.usrflags=ro',
      'console=ttyS0,115200',
      'quiet',
    ]);
  });

  it('names no slot: the same UKI runs from either', () => {
    const line = kernelCommandLine([], {rootHash: ROOT_HASH, hashOffset: 8192});
    assert.doesNotMatch(line, /usr-[ab]|partlabel/i);
  });

  it('refuses what is no root hash', () => {
    for (const rootHash of ['', 'x'.repeat(64), ROOT_HASH.toUpperCase(), ROOT_HASH.slice(1)])
      assert.throws(() => kernelCommandLine([], {rootHash, hashOffset: 1}), /root hash/);
  });
});

describe('liveCommandLine', () => {
  it('asks for the id of the machine and names neither /usr nor ROOT', () => {
    assert.equal(liveCommandLine(['quiet']), 'systemd.machine_id=firmware quiet');
  });
});

describe('liveScript', () => {
  it('starts the files beside it, with the words of an operator at the end', () => {
    const script = liveScript({
      name: 'Some Linux 1.0.0',
      kernel: 'kernel',
      initrd: 'live',
      commandLine: 'a b',
    });
    assert.deepEqual(script.split('\n'), [
      '#!ipxe',
      'echo Some Linux 1.0.0',
      'kernel kernel initrd=live a b ${caisson-arguments}',
      'initrd live',
      'boot',
      '',
    ]);
  });
});

/** A machine without a disk: iPXE takes a script by TFTP, the kernel and the rest by HTTP; then nothing but memory. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {releaseFolder} from '../support/release.ts';
import {localImage} from './support/container-image.ts';
import {withLiveMachine} from './support/live.ts';

const NAME = 'local/busybox:1';
const LONG = {deadlineMs: 600_000};
const UUID = '0f5a2f4e-6b8e-4a57-9a5c-2f6b1f0f5e11';

describe('a machine that starts by iPXE', () => {
  it('runs a container in 1.5 GiB of memory, and knows that it has no slots', async (t) => {
    const options = {
      release: releaseFolder(),
      memoryMiB: 1536,
      uuid: UUID,
      kernelArguments: ['caisson.test=words-of-the-operator'],
    };
    await withLiveMachine(t, options, async (guest, netBoot) => {
      assert.deepEqual(
        netBoot.requests.filter((line) => line.startsWith('GET')),
        ['GET /live.ipxe', 'GET /kernel', 'GET /live-initrd'],
      );
      assert.match(await guest.run(['cat', '/proc/cmdline']), /caisson\.test=words-of-the-operator/);
      const mounts = await guest.run(['findmnt', '--noheadings', '--raw', '--output', 'TARGET,FSTYPE']);
      assert.match(mounts, /^\/ tmpfs$/m);
      assert.match(mounts, /^\/usr squashfs$/m);
      assert.match(mounts, /^\/etc overlay$/m);
      const verity = await guest.runAsRoot(['dmsetup', 'status', 'usr']);
      assert.match(verity, /verity V$/m);
      // What it answers to in a cluster, after every restart.
      assert.equal((await guest.run(['cat', '/etc/machine-id'])).trim(), UUID.replaceAll('-', ''));

      await guest.run(['docker', 'load'], {...LONG, stdin: await localImage(NAME)});
      const inside = ['docker', 'run', '--rm', '--network=none', NAME, 'sh', '-c', 'echo $$'] as const;
      assert.equal((await guest.run(inside, LONG)).trim(), '1');
      t.diagnostic(await guest.run(['free', '--mebi']));

      await guest.runAsRoot(
        ['systemctl', 'start', 'boot-complete.target', 'caisson-mark-good.service'],
        LONG,
      );
      assert.equal(await guest.run(['systemctl', 'list-units', '--failed', '--quiet', '--no-legend']), '');
      const status = JSON.parse(await guest.run(['caissonctl', 'status', '--json'])) as Record<
        string,
        unknown
      >;
      assert.equal(status['isLive'], true);
      assert.equal(status['slot'], null);
      assert.match(await guest.run(['caissonctl', 'status']), /from its boot image/);
    });
  });
});

/** From power on to a login, again and again, and what happens when /usr is not what was built. */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {describe, it, type TestContext} from 'node:test';
import {placePartitions} from '../../formats/disk-layout.ts';
import {exec} from '../../platform/exec.ts';
import {createOverlay} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {BOOT_DEADLINE_MS, withMachine, withRunning, withTestFolder} from './support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const GIB = 1024 ** 3;

/** Everything that a boot may have changed by mistake. */
async function imprint(guest: Guest): Promise<Record<string, string>> {
  const read = (...command: [string, ...string[]]) => guest.runAsRoot(command);
  return {
    machineId: await read('cat', '/etc/machine-id'),
    hostKey: await read('cat', '/etc/ssh/ssh_host_ed25519_key.pub'),
    upperEtc: await read(
      'sh',
      '-c',
      'cd /etc && find . -newer .updated -type f ! -name .pwd.lock | sort | xargs sha256sum',
    ),
    partitions: await read('sfdisk', '--dump', '/dev/vda'),
    note: await read('cat', '/home/core/note'),
  };
}

describe('booting again', () => {
  it('keeps machine-id, host key and state over reboots and a hang, on a disk that was grown', async (t) => {
    await withMachine(t, {image: releaseImage(), diskBytes: 20 * GIB, watchdog: true}, async (guest) => {
      await guest.bootFinished(BOOT);
      const bytes = Number(await guest.run(['sh', '-c', 'df --output=size -B1 / | tail -1']));
      assert.ok(bytes > 13 * GIB, `ROOT has ${bytes} bytes`);
      await guest.run(['sh', '-c', 'echo remember > ~/note; sync']);
      const first = await imprint(guest);
      assert.match(first['machineId'] ?? '', /^[0-9a-f]{32}\n$/);
      // The host made its key itself: the release has none.
      assert.equal(
        await guest.run(['sh', '-c', 'ls /usr/share/caisson/etc/ssh | grep host_key || true']),
        '',
      );
      const again: Record<string, () => Promise<void>> = {
        'a reboot': () => guest.reboot(BOOT),
        'the watchdog': () => hangUntilReset(t, guest),
      };
      for (const [name, restart] of Object.entries(again)) {
        await restart();
        await guest.bootFinished(BOOT);
        assert.deepEqual(await imprint(guest), first, name);
        assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '', name);
        const madeAgain = await guest.ssh.run([
          'systemctl',
          'show',
          '--property=ConditionResult',
          'sshd-keygen.service',
        ]);
        assert.match(madeAgain.stdout, /ConditionResult=no/, name);
      }
      assert.match(await guest.runAsRoot(['journalctl', '--list-boots', '--no-pager']), /^ *-2 /m);
      assert.equal((await guest.machine.powerOff(BOOT)).exitCode, 0);
    });
  });
});

/** The kernel stops systemd, as a hang would. A crash is another matter: that restarts the machine at once. */
async function hangUntilReset(t: TestContext, guest: Guest): Promise<void> {
  const bitten = guest.machine.qmp.waitForEvent('WATCHDOG', BOOT);
  await guest.afterReboot(async () => {
    const hungAt = performance.now();
    await guest.runAsRoot(['sh', '-c', 'echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze']);
    await bitten;
    t.diagnostic(`seconds until the watchdog's reset: ${((performance.now() - hungAt) / 1000).toFixed(0)}`);
  }, BOOT);
}

describe('damage to /usr', () => {
  it('is caught by verity: the machine restarts and does not limp', async (t) => {
    await withTestFolder(t, async (folder, consoleLog) => {
      const disk = join(folder, 'disk.qcow2');
      await createOverlay(disk, releaseImage(), 8 * GIB);
      // The root directory's block of the file system: read in every boot.
      const usr = placePartitions().find(({name}) => name === 'usrA')?.offset ?? 0;
      await exec([
        'qemu-io',
        '-f',
        'qcow2',
        '-c',
        `write -P 0xa5 ${usr + 4096} 64k`,
        '-c',
        `write -P 0xa5 ${usr} 4k`,
        disk,
      ]);
      const machine = await startMachine({
        name: 'damaged',
        disks: [{path: disk, format: 'qcow2', cache: 'unsafe'}],
        networks: [],
        consoleLog,
        signal: t.signal,
      });
      await withRunning(machine, async () => {
        await machine.console.waitFor(
          /device-mapper: verity: .* data block|dm-verity device corrupted/,
          BOOT,
        );
        await machine.console.waitFor(/Kernel panic - not syncing: .*verity/, BOOT);
        // The firmware is back: the second line of the selector.
        await machine.console.waitFor(/caisson: booting[\s\S]*caisson: booting/, BOOT);
      });
    });
  });
});

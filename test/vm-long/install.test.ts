/**
 * A machine with an empty disk becomes a host: it starts over the network, installs from the release server, starts from
 * its disk, and follows the next release. And the same start from the ISO, which installs without a network.
 */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {createEmptyDisk} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {releaseFolder} from '../support/release.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {Guest} from '../vm/support/guest.ts';
import {IGNITION_CONFIG, checkInstalledDisk} from '../vm/support/installed-disk.ts';
import {withLiveMachine} from '../vm/support/live.ts';
import {GUEST_FOLDER, releaseImage} from '../vm/support/paths.ts';
import {secondRelease} from '../vm/support/releases.ts';
import {serveRelease} from '../vm/support/served-release.ts';
import {UPDATE_DEADLINE_MS, fullPayload, statusOf, statusUntil} from '../vm/support/updates.ts';
import {
  BOOT_DEADLINE_MS,
  keepingJournal,
  withRawDisk,
  withRunning,
  withTestFolder,
} from '../vm/support/with-machine.ts';

const GIB = 1024 ** 3;
const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const INSTALL = {deadlineMs: UPDATE_DEADLINE_MS};
/** What a live machine is said to need. */
const MEMORY_MIB = 2048;

async function emptyDisk(t: TestContext): Promise<{folder: string; disk: string}> {
  const folder = await mkdtemp(join(GUEST_FOLDER, 'install-'));
  t.after(() => rm(folder, {recursive: true, force: true}));
  const disk = join(folder, 'disk.raw');
  await createEmptyDisk(disk, 'raw', 8 * GIB);
  return {folder, disk};
}

/** Starts the machine from the disk alone. */
async function fromDisk(t: TestContext, disk: string, use: (guest: Guest) => Promise<void>): Promise<void> {
  await withTestFolder(t, async (folder, consoleLog) => {
    await withRawDisk(t, {image: releaseImage(), disk, folder, consoleLog}, async (guest) => {
      await guest.ssh.waitUntilUp(BOOT);
      await use(guest);
    });
  });
}

async function requireHealthy(t: TestContext, guest: Guest, version: string): Promise<void> {
  await guest.bootFinished(BOOT);
  const good = await statusUntil(
    guest,
    t.signal,
    ({os, isGood}) => os.version === version && isGood === true,
  );
  assert.equal(good.slot, version === '0.1.0' ? 'A' : 'B');
  assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');
  // ROOT has what the release leaves of the disk.
  const bytes = Number(await guest.run(['findmnt', '-nbo', 'SIZE', '/']));
  assert.ok(bytes > 2 * GIB, String(bytes));
}

describe('a machine with an empty disk', () => {
  it('is installed over the network, starts from its disk, and updates to the next release', async (t) => {
    const second = await secondRelease();
    const {folder, disk} = await emptyDisk(t);
    const server = await serveRelease(t, join(folder, 'served'), releaseFolder());
    const live = {
      release: releaseFolder(),
      memoryMiB: MEMORY_MIB,
      disks: [{path: disk, format: 'raw', cache: 'unsafe'}],
    } as const;
    await withLiveMachine(t, live, async (guest) => {
      assert.match(
        await guest.run(['caisson-install', '--list']),
        /\/dev\/vda +8\.59 GB .*free, no partitions/,
      );
      await guest.run(['sh', '-c', 'cat > config.ign'], {stdin: IGNITION_CONFIG});
      const began = performance.now();
      const said = await guest.runAsRoot(
        [
          'caisson-install',
          '-d',
          '/dev/vda',
          '-s',
          server.url,
          '-C',
          'stable',
          '-i',
          'config.ign',
          '-o',
          'metal',
        ],
        INSTALL,
      );
      t.diagnostic(`seconds of the installation: ${((performance.now() - began) / 1000).toFixed(0)}`);
      assert.match(said, /\/dev\/vda boots Caisson 0\.1\.0/);
      t.diagnostic(await guest.run(['free', '--mebi']));
    });
    await checkInstalledDisk(disk, releaseFolder(), folder, {
      '/config.ign': IGNITION_CONFIG,
      '/oem-release': 'ID=metal\n',
    });
    await fromDisk(t, disk, async (guest) => {
      await requireHealthy(t, guest, '0.1.0');
      assert.equal(await guest.run(['cat', '/oem/oem-release']), 'ID=metal\n');
      await server.promote(second);
      // Server and channel are those that it was installed from.
      const conf = 'REBOOT_STRATEGY=off\n';
      await guest.runAsRoot(['sh', '-c', 'mkdir -p /etc/caisson && cat > /etc/caisson/update.conf'], {
        stdin: conf,
      });
      await guest.runAsRoot(['caissonctl', 'update'], INSTALL);
      assert.equal((await statusOf(guest)).state, 'UPDATED_NEED_REBOOT');
      await guest.reboot(BOOT);
      await requireHealthy(t, guest, '0.2.0');
    });
  });

  it('is installed from the ISO without a network, and starts from its disk', async (t) => {
    const {folder, disk} = await emptyDisk(t);
    const iso = join(folder, 'live.iso');
    const payload = await fullPayload(releaseFolder(), t.signal);
    await exec(
      [
        join(ROOT_DIR, 'caisson'),
        'image',
        releaseFolder(),
        '--format',
        'iso',
        '--payload',
        payload,
        '--out',
        iso,
      ],
      {timeoutMs: UPDATE_DEADLINE_MS, signal: t.signal},
    );
    await withTestFolder(t, async (own, consoleLog) => {
      const key = await createSshKey(own);
      const machine = await startMachine({
        name: 'iso',
        memoryMiB: MEMORY_MIB,
        disks: [
          {path: iso, format: 'raw', isOptical: true},
          {path: disk, format: 'raw', cache: 'unsafe'},
        ],
        networks: [{kind: 'user', isolated: true, forwards: [{hostPort: 0, guestPort: 22}]}],
        credentials: {'caisson.ssh-authorized-keys': `${key.publicKey}\n`},
        consoleLog,
        signal: t.signal,
      });
      await withRunning(machine, async () => {
        const guest = new Guest(machine, machine.ssh('core', key.identityFile));
        await guest.ssh.waitUntilUp(BOOT);
        await keepingJournal(guest, consoleLog, async () => {
          await guest.runAsRoot(['mount', '-r', 'LABEL=CAISSON_LIVE', '/mnt']);
          const said = await guest.runAsRoot(
            ['caisson-install', '-d', '/dev/vda', '-f', '/mnt/update.payload'],
            INSTALL,
          );
          assert.match(said, /\/dev\/vda boots Caisson 0\.1\.0/);
        });
      });
    });
    await fromDisk(t, disk, (guest) => requireHealthy(t, guest, '0.1.0'));
  });
});

/** Updates from end to end: over HTTP from the release server, then from a file; and what both leave on the disk. */
import assert from 'node:assert/strict';
import {mkdir, rm, symlink, truncate} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {copySparse} from '../../platform/files.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {promoteRelease} from '../../server/channel-file.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {serveReleases} from '../../server/serve.ts';
import {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {readRelease, secondRelease, thirdRelease} from './support/releases.ts';
import {
  copyPayload,
  deltaPayload,
  fullPayload,
  statusOf,
  statusUntil,
  UPDATE_DEADLINE_MS,
} from './support/updates.ts';
import {
  BOOT_DEADLINE_MS,
  keepingJournal,
  machineOptions,
  withRunning,
  withTestFolder,
} from './support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const GIB = 1024 ** 3;

/** What an independent tool reads in the table of a disk whose machine is running or off. */
async function cgptShow(disk: string, partition: 2 | 3): Promise<string> {
  const ask = async (flag: string): Promise<string> =>
    (await exec(['cgpt', 'show', '-i', String(partition), flag, disk])).stdout.trim();
  return [await ask('-P'), await ask('-T'), await ask('-S')].join(',');
}

describe('a host', () => {
  it('updates over HTTP, comes up good, and updates again into its first slot', async (t) => {
    const [second, third] = [await secondRelease(), await thirdRelease()];
    await fullPayload(second, t.signal);
    await withTestFolder(t, async (folder, consoleLog) => {
      const disk = join(folder, 'disk.raw');
      await copySparse(releaseImage().path, disk);
      await truncate(disk, 8 * GIB);
      assert.deepEqual([await cgptShow(disk, 2), await cgptShow(disk, 3)], ['1,0,1', '0,0,0']);

      const served = join(folder, 'served');
      await mkdir(served);
      await symlink(second, join(served, (await readRelease(second)).version));
      await promoteRelease(
        served,
        openReleaseFolder(served),
        {version: '0.2.0', channel: 'stable', allowDowngrade: false, at: 0},
        t.signal,
      );
      const events: string[] = [];
      const server = await serveReleases({
        ...{dir: served, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
        ...{now: () => Date.now(), onLine: (text) => events.push(text), onAccess: () => undefined},
      });
      t.after(() => server.close(0));

      const key = await createSshKey(folder);
      const machine = await startMachine({
        ...machineOptions({image: releaseImage(), watchdog: true}, key, disk),
        disks: [{path: disk, format: 'raw', cache: 'unsafe'}],
        consoleLog,
        signal: t.signal,
      });
      await withRunning(machine, async () => {
        const guest = new Guest(machine, machine.ssh('core', key.identityFile));
        await guest.ssh.waitUntilUp(BOOT);
        await keepingJournal(guest, consoleLog, async () => {
          await guest.bootFinished(BOOT);
          const machineId = await guest.run(['cat', '/etc/machine-id']);
          const url = `${server.url.replace('127.0.0.1', '10.0.2.2')}/v1/update/`;
          await guest.runAsRoot([
            'sh',
            '-c',
            `mkdir -p /etc/caisson && printf 'SERVER=${url}\\nGROUP=stable\\nREBOOT_STRATEGY=off\\n' > /etc/caisson/update.conf
             echo kept > /var/lib/kept && echo '192.0.2.1 kept' >> /etc/hosts`,
          ]);

          const began = performance.now();
          await guest.runAsRoot(['caissonctl', 'update'], {deadlineMs: UPDATE_DEADLINE_MS});
          t.diagnostic(`seconds from "update" to "need reboot": ${seconds(began)}`);
          const waiting = await statusOf(guest);
          assert.equal(waiting.state, 'UPDATED_NEED_REBOOT');
          assert.deepEqual([waiting.nextBoot?.slot, waiting.os.version], ['B', '0.1.0']);
          assert.deepEqual([await cgptShow(disk, 2), await cgptShow(disk, 3)], ['1,0,1', '2,2,0']);
          const lineage = await guest.run(['update_engine_client', '-status']);
          assert.match(
            lineage,
            /^CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\nNEW_VERSION=0\.2\.0\nNEW_SIZE=\d+$/m,
          );

          const down = performance.now();
          await guest.reboot(BOOT);
          t.diagnostic(`seconds of the reboot: ${seconds(down)}`);
          const good = await statusUntil(
            guest,
            t.signal,
            ({pending, os}) => os.version === '0.2.0' && pending === null,
          );
          assert.deepEqual([good.slot, good.isGood], ['B', true]);
          assert.deepEqual([await cgptShow(disk, 2), await cgptShow(disk, 3)], ['1,0,1', '2,0,1']);
          assert.equal(await guest.run(['cat', '/etc/machine-id']), machineId);
          assert.equal(await guest.run(['cat', '/var/lib/kept']), 'kept\n');
          assert.match(await guest.run(['cat', '/etc/hosts']), /192\.0\.2\.1 kept/);
          assert.equal(await guest.run(['systemctl', '--failed', '--no-legend']), '');

          const delta = await deltaPayload(second, third);
          const path = await copyPayload(guest, delta);
          await guest.runAsRoot(['caissonctl', 'update', '--payload', path], {
            deadlineMs: UPDATE_DEADLINE_MS,
          });
          await guest.reboot(BOOT);
          const last = await statusUntil(
            guest,
            t.signal,
            ({pending, os}) => os.version === '0.3.0' && pending === null,
          );
          assert.equal(last.slot, 'A');
          assert.deepEqual([await cgptShow(disk, 2), await cgptShow(disk, 3)], ['2,0,1', '1,0,1']);
        });
      });
      assert.ok(
        events.some((line) => /0\.2\.0/.test(line)),
        events.join('\n'),
      );
      await rm(served, {recursive: true});
    });
  });
});

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(0);
}

/**
 * Real machines that lose their power in the middle of an update: QEMU is killed, and what the guest had not flushed is
 * gone. The same disk then starts again, with the old release or the new, and the next try succeeds. Every single write
 * is the matter of test/integration/update-crash-matrix.test.ts; this is about the kernel and the disk between.
 */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, it, type TestContext} from 'node:test';
import {createOverlay} from '../../qemu/disk.ts';
import {startMachine} from '../../qemu/machine.ts';
import {createSshKey, type SshKey} from '../../qemu/ssh.ts';
import type {Status} from '../../update-engine/api/status.ts';
import {Guest} from '../vm/support/guest.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {firstRelease, thirdRelease} from '../vm/support/releases.ts';
import {copyPayload, deltaPayload, statusUntil, UPDATE_DEADLINE_MS} from '../vm/support/updates.ts';
import {
  BOOT_DEADLINE_MS,
  keepingJournal,
  machineOptions,
  withRunning,
  withTestFolder,
} from '../vm/support/with-machine.ts';

const GIB = 1024 ** 3;
const BOOT = {deadlineMs: BOOT_DEADLINE_MS};

interface Cut {
  state: Status['state'];
  /** From when the state was seen on. */
  afterMs: number;
}

const CUTS: readonly Cut[] = [
  {state: 'DOWNLOADING', afterMs: 0},
  {state: 'DOWNLOADING', afterMs: 20_000},
  {state: 'VERIFYING', afterMs: 0},
  {state: 'VERIFYING', afterMs: 15_000},
  {state: 'FINALIZING', afterMs: 0},
  {state: 'FINALIZING', afterMs: 1_000},
  {state: 'UPDATED_NEED_REBOOT', afterMs: 0},
];
describe('a host whose power is cut in the middle of an update', () => {
  it('starts the old or the new release each time, and gets there in the end', async (t) => {
    const payload = await deltaPayload(firstRelease(), await thirdRelease());
    await withTestFolder(t, async (folder, consoleLog) => {
      const disk = join(folder, 'disk.qcow2');
      await createOverlay(disk, releaseImage(), 8 * GIB);
      const key = await createSshKey(folder);
      const boot = (use: (guest: Guest) => Promise<void>): Promise<void> =>
        withBoot(t, {disk, key, consoleLog}, use);
      for (const cut of CUTS)
        await boot(async (guest) => {
          await begin(guest, payload);
          const {os} = await statusUntil(guest, t.signal, reached(cut.state));
          await sleep(cut.afterMs, undefined, {signal: t.signal});
          await guest.machine.kill();
          t.diagnostic(`power cut ${cut.afterMs / 1000} s into ${cut.state}, on release ${os.version}`);
        });
      await boot(async (guest) => {
        await begin(guest, payload);
        const {state} = await statusUntil(guest, t.signal, reached('UPDATED_NEED_REBOOT'));
        if (state === 'UPDATED_NEED_REBOOT') await guest.reboot(BOOT);
        const {slot, os} = await statusUntil(guest, t.signal, (status) => status.isGood === true);
        assert.deepEqual([slot, os.version], ['B', '0.3.0']);
      });
    });
  });
});

/** Tells the guest to update, unless it runs the new release already or is about to. */
async function begin(guest: Guest, payload: string): Promise<void> {
  await guest.runAsRoot(['sh', '-c', 'echo REBOOT_STRATEGY=off > /etc/caisson/update.conf']);
  const path = await copyPayload(guest, payload);
  // On the new release, or with it next, the answer is no.
  await guest.ssh.run(['sudo', 'caissonctl', 'update', '--payload', path, '--no-wait'], {
    deadlineMs: UPDATE_DEADLINE_MS,
  });
}

/** Or beyond: a quick machine may have passed it between two questions. */
function reached(state: Status['state']): (status: Status) => boolean {
  return (status) => status.state === state || status.pending !== null || status.os.version === '0.3.0';
}

async function withBoot(
  t: TestContext,
  {disk, key, consoleLog}: {disk: string; key: SshKey; consoleLog: string},
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const machine = await startMachine({
    ...machineOptions({image: releaseImage(), watchdog: true}, key, disk),
    disks: [{path: disk, format: 'qcow2'}],
    consoleLog,
    signal: t.signal,
  });
  await withRunning(machine, async () => {
    const guest = new Guest(machine, machine.ssh('core', key.identityFile));
    await guest.ssh.waitUntilUp(BOOT);
    await keepingJournal(guest, consoleLog, async () => {
      await statusUntil(guest, t.signal, ({isGood}) => isGood === true);
      await use(guest);
    });
  });
}

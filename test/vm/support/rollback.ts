/** What is asked of every release that does not come up, whatever is wrong with it. */
import assert from 'node:assert/strict';
import type {TestContext} from 'node:test';
import type {Guest} from './guest.ts';
import {releaseImage} from './paths.ts';
import {FAULTS, type FaultName, firstRelease, thirdRelease} from './releases.ts';
import {withSharedGuest} from './shared-guest.ts';
import {copyPayload, deltaPayload, statusOf, statusUntil, UPDATE_DEADLINE_MS} from './updates.ts';

/** What caissonctl ends with when a rule refuses an update. */
const REFUSED = 5;
/** Clocks of the host have to run out in it: ten minutes for a boot that hangs, five for its checks. */
const GIVE_UP_DEADLINE_MS = 40 * 60_000;
const DAMAGE =
  'dd if=/dev/urandom of=/dev/disk/by-partlabel/USR-B bs=4096 count=1 conv=notrunc,fsync status=none';

/** Installs the broken release by a real update and sees the host come back. */
export async function installBroken(t: TestContext, fault: FaultName): Promise<void> {
  const payload = await deltaPayload(firstRelease(), await thirdRelease(fault));
  await withSharedGuest(t, {image: releaseImage(), watchdog: true}, async (guest) => {
    const path = await copyPayload(guest, payload);
    await setStrategy(guest, 'reboot');
    const before = guest.machine.console.position;
    await guest.runAsRoot(['caissonctl', 'update', '--payload', path, '--no-wait']);
    await comesBack(t, guest, before, FAULTS[fault].console);
    await refusesAgain(guest, path);
  });
}

/** The same with a good release whose /usr is damaged before its first start. */
export async function installAndDamage(t: TestContext): Promise<void> {
  const payload = await deltaPayload(firstRelease(), await thirdRelease());
  await withSharedGuest(t, {image: releaseImage(), watchdog: true}, async (guest) => {
    const path = await copyPayload(guest, payload);
    await setStrategy(guest, 'off');
    await guest.runAsRoot(['caissonctl', 'update', '--payload', path], {deadlineMs: UPDATE_DEADLINE_MS});
    await guest.runAsRoot(['sh', '-c', DAMAGE]);
    const before = guest.machine.console.position;
    await guest.runAsRoot(['systemctl', 'reboot']).catch(() => undefined);
    await comesBack(t, guest, before, /Kernel panic - not syncing: dm-verity|dm-verity.*corrupted/);
    await refusesAgain(guest, path);
  });
}

async function setStrategy(guest: Guest, name: string): Promise<void> {
  await guest.runAsRoot(['sh', '-c', `echo REBOOT_STRATEGY=${name} > /etc/caisson/update.conf`]);
}

/** From the first start of the bad slot to the old release, and what that says. */
async function comesBack(t: TestContext, guest: Guest, after: number, symptom: RegExp): Promise<void> {
  const {console} = guest.machine;
  const deadline = {deadlineMs: GIVE_UP_DEADLINE_MS, signal: t.signal};
  const trial = await console.waitFor(/caisson: booting USR-B/, {
    deadlineMs: UPDATE_DEADLINE_MS,
    signal: t.signal,
    after,
  });
  const began = performance.now();
  const shown = await console.waitFor(symptom, {...deadline, after: trial.end});
  await console.waitFor(/caisson: booting USR-A/, {...deadline, after: shown.end});
  const status = await statusUntil(
    guest,
    t.signal,
    ({lastUpdate, pending}) => lastUpdate?.outcome === 'rolled-back' && pending === null,
  );
  t.diagnostic(
    `seconds from the bad boot to the good one: ${((performance.now() - began) / 1000).toFixed(0)}`,
  );
  t.diagnostic(`why, in the host's words: ${status.denied[0]?.reason}`);
  assert.deepEqual([status.os.version, status.slot, status.isGood], ['0.1.0', 'A', true]);
  assert.deepEqual(
    status.denied.map(({version}) => version),
    ['0.3.0'],
  );
}

async function refusesAgain(guest: Guest, path: string): Promise<void> {
  const again = await guest.ssh.run(['sudo', 'caissonctl', 'update', '--payload', path], {
    deadlineMs: UPDATE_DEADLINE_MS,
  });
  assert.equal(again.exitCode, REFUSED, again.stderr);
  assert.match(again.stderr + again.stdout, /deny|denied/);
  assert.equal((await statusOf(guest)).nextBoot?.slot, 'A');
}

/**
 * Releases that do not come up, each installed by a real update: the host is back on the old one without anybody's help,
 * says why, and does not take the bad one again. CI tries some of the faults; `npm run test:all` tries them all.
 */
import assert from 'node:assert/strict';
import {describe, it, type TestContext} from 'node:test';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {FAULTS, type FaultName, firstRelease, thirdRelease} from './support/releases.ts';
import {withSharedGuest} from './support/shared-guest.ts';
import {copyPayload, deltaPayload, statusOf, statusUntil, UPDATE_DEADLINE_MS} from './support/updates.ts';
import {BOOT_DEADLINE_MS} from './support/with-machine.ts';

const ALL = Object.keys(FAULTS) as FaultName[];
/** One that leaves its tries behind, and one that is given up by the host itself. */
const SAMPLE: readonly FaultName[] = ['panic', 'engine'];
const isWhole = process.env['CAISSON_FAULTS'] === 'all';
/** What caissonctl ends with when a rule refuses an update. */
const REFUSED = 5;

/** More than any page that is read ahead: whatever starts first meets it. */
const DAMAGE =
  'dd if=/dev/urandom of=/dev/disk/by-partlabel/USR-B bs=4096 count=1 conv=notrunc,fsync status=none';

describe('a release that does not come up', () => {
  if (isWhole)
    it('is left behind: its /usr is damaged after it was installed', async (t) => {
      const payload = await deltaPayload(firstRelease(), await thirdRelease());
      await withSharedGuest(t, {image: releaseImage(), watchdog: true}, async (guest) => {
        const path = await copyPayload(guest, payload);
        await strategy(guest, 'off');
        await guest.runAsRoot(['caissonctl', 'update', '--payload', path], {deadlineMs: UPDATE_DEADLINE_MS});
        await guest.runAsRoot(['sh', '-c', DAMAGE]);
        const before = guest.machine.console.position;
        await guest.runAsRoot(['systemctl', 'reboot']).catch(() => undefined);
        await comesBack(t, guest, before, /Kernel panic - not syncing: dm-verity|dm-verity.*corrupted/);
        await refusesAgain(guest, path);
      });
    });

  for (const fault of isWhole ? ALL : SAMPLE)
    it(`is left behind: ${FAULTS[fault].what}`, async (t) => {
      const bad = await thirdRelease(fault);
      const payload = await deltaPayload(firstRelease(), bad);
      await withSharedGuest(t, {image: releaseImage(), watchdog: true}, async (guest) => {
        const path = await copyPayload(guest, payload);
        await strategy(guest, 'reboot');
        const before = guest.machine.console.position;
        await guest.runAsRoot(['caissonctl', 'update', '--payload', path, '--no-wait']);
        await comesBack(t, guest, before, FAULTS[fault].console);
        await refusesAgain(guest, path);
      });
    });
});

async function strategy(guest: Guest, name: string): Promise<void> {
  await guest.runAsRoot(['sh', '-c', `echo REBOOT_STRATEGY=${name} > /etc/caisson/update.conf`]);
}

/** From the first start of the bad slot to the old release, and what that says. */
async function comesBack(t: TestContext, guest: Guest, after: number, symptom: RegExp): Promise<void> {
  const {console} = guest.machine;
  const deadline = {deadlineMs: BOOT_DEADLINE_MS, signal: t.signal};
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
    ({lastUpdate, isGood}) => lastUpdate?.outcome === 'rolled-back' && isGood === true,
  );
  t.diagnostic(
    `seconds from the bad boot to the good one: ${((performance.now() - began) / 1000).toFixed(0)}`,
  );
  t.diagnostic(`why, in the host's words: ${status.denied[0]?.reason}`);
  assert.deepEqual([status.os.version, status.slot, status.pending], ['0.1.0', 'A', null]);
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

/**
 * Releases that do not come up, each installed by a real update: the host is back on the old one without anybody's help,
 * says why, and does not take the bad one again. CI tries some of the faults; `npm run test:all` tries them all.
 */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {FAULTS, type FaultName, firstRelease, thirdRelease} from './support/releases.ts';
import {withSharedGuest} from './support/shared-guest.ts';
import {copyPayload, deltaPayload, statusOf, statusUntil, UPDATE_DEADLINE_MS} from './support/updates.ts';
import {BOOT_DEADLINE_MS} from './support/with-machine.ts';

const ALL = Object.keys(FAULTS) as FaultName[];
/** One that leaves its tries behind, and one that is given up by the host itself. */
const SAMPLE: readonly FaultName[] = ['panic', 'engine'];
const faults = process.env['CAISSON_FAULTS'] === 'all' ? ALL : SAMPLE;
/** What caissonctl ends with when a rule refuses an update. */
const REFUSED = 5;

describe('a release that does not come up', () => {
  for (const fault of faults)
    it(`is left behind: ${FAULTS[fault].what}`, async (t) => {
      const bad = await thirdRelease(fault);
      const payload = await deltaPayload(firstRelease(), bad);
      await withSharedGuest(t, {image: releaseImage(), watchdog: true}, async (guest) => {
        const path = await copyPayload(guest, payload);
        const deadline = {deadlineMs: BOOT_DEADLINE_MS, signal: t.signal};
        await guest.runAsRoot(['sh', '-c', 'printf "REBOOT_STRATEGY=reboot\\n" > /etc/caisson/update.conf']);
        const console = guest.machine.console;
        const before = console.position;
        await guest.runAsRoot(['caissonctl', 'update', '--payload', path, '--no-wait'], deadline);
        const trial = await console.waitFor(/caisson: booting USR-B/, {
          deadlineMs: UPDATE_DEADLINE_MS,
          signal: t.signal,
          after: before,
        });
        const began = performance.now();
        const symptom = await console.waitFor(FAULTS[fault].console, {...deadline, after: trial.end});
        await console.waitFor(/caisson: booting USR-A/, {...deadline, after: symptom.end});
        const status = await statusUntil(
          guest,
          t.signal,
          ({lastUpdate, isGood}) => lastUpdate?.outcome === 'rolled-back' && isGood === true,
        );
        t.diagnostic(
          `seconds from the bad boot to the good one: ${((performance.now() - began) / 1000).toFixed(0)}`,
        );
        assert.deepEqual([status.os.version, status.slot, status.pending], ['0.1.0', 'A', null]);
        assert.deepEqual(
          status.denied.map(({version}) => version),
          ['0.3.0'],
        );
        t.diagnostic(`why, in the host's words: ${status.denied[0]?.reason}`);
        await refusesAgain(guest, path);
      });
    });
});

async function refusesAgain(guest: Guest, path: string): Promise<void> {
  const again = await guest.ssh.run(['sudo', 'caissonctl', 'update', '--payload', path], {
    deadlineMs: UPDATE_DEADLINE_MS,
  });
  assert.equal(again.exitCode, REFUSED, again.stderr);
  assert.match(again.stderr + again.stdout, /deny|denied/);
  assert.equal((await statusOf(guest)).nextBoot?.slot, 'A');
}

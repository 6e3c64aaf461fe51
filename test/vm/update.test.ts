/** A host updates over HTTP from the release server, then from a file, each time into the slot that is idle. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {firstRelease, secondRelease, thirdRelease} from './support/releases.ts';
import {slotBits, withUpdatedGuest} from './support/updated-guest.ts';
import {copyPayload, deltaPayload, statusUntil, UPDATE_DEADLINE_MS} from './support/updates.ts';
import {BOOT_DEADLINE_MS} from './support/with-machine.ts';

describe('a host', () => {
  // By deltas, which cost little; test/vm-long/update.test.ts has the full payload.
  it('updates over HTTP, comes up good, and updates again into its first slot', async (t) => {
    await withUpdatedGuest(
      t,
      (second) => deltaPayload(firstRelease(), second),
      async (guest, disk) => {
        const path = await copyPayload(
          guest,
          await deltaPayload(await secondRelease(), await thirdRelease()),
        );
        await guest.runAsRoot(['caissonctl', 'update', '--payload', path], {deadlineMs: UPDATE_DEADLINE_MS});
        await guest.reboot({deadlineMs: BOOT_DEADLINE_MS});
        const last = await statusUntil(
          guest,
          t.signal,
          ({pending, os}) => os.version === '0.3.0' && pending === null,
        );
        assert.equal(last.slot, 'A');
        assert.deepEqual(await slotBits(disk), ['2,0,1', '1,0,1']);
      },
    );
  });
});

/**
 * A release on trial whose health check fails, on a host that knows of the trial by the bits of its slots alone. With
 * all that the engine remembers: rollback.test.ts.
 */
import assert from 'node:assert/strict';
import {truncate} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it, type TestContext} from 'node:test';
import type {Guest} from '../vm/support/guest.ts';
import {releaseImage} from '../vm/support/paths.ts';
import {FAULTS, type FaultName, firstRelease, thirdRelease} from '../vm/support/releases.ts';
import {bitsOnDisk, writeTwoSlotDisk} from '../vm/support/slots.ts';
import {BOOT_DEADLINE_MS, withRawDisk, withTestFolder} from '../vm/support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const GIB = 1024 ** 3;
const image = releaseImage();

/** Boots a disk with release 1 in slot A, good, and a release 3 in slot B, on trial. */
async function withTrial(
  t: TestContext,
  fault: FaultName,
  use: (guest: Guest, disk: string) => Promise<void>,
): Promise<void> {
  await withTestFolder(t, async (folder, consoleLog) => {
    const disk = join(folder, 'disk.raw');
    await writeTwoSlotDisk(disk, firstRelease(), await thirdRelease(fault), t.signal);
    await truncate(disk, 8 * GIB);
    await withRawDisk(t, {image, disk, folder, consoleLog}, (guest) => use(guest, disk));
  });
}

describe('a release on trial', () => {
  it('is given up when a check fails: the other slot boots, and the reasons are there', async (t) => {
    await withTrial(t, 'health', async (guest, disk) => {
      await guest.machine.console.waitFor(FAULTS.health.console, BOOT);
      const failedAt = performance.now();
      await guest.machine.console.waitFor(/caisson: booting USR-A/, BOOT);
      await guest.ssh.waitUntilUp(BOOT);
      t.diagnostic(
        `seconds from giving up to a login: ${((performance.now() - failedAt) / 1000).toFixed(0)}`,
      );
      await guest.bootFinished(BOOT);
      assert.match(await guest.run(['cat', '/etc/os-release']), /^VERSION_ID="?0\.1\.0"?$/m);
      // The run of this boot has taken the place of the report, but not in the journal.
      const journal = await guest.runAsRoot(['journalctl', '--unit=caisson-health.service', '--output=cat']);
      assert.match(journal, /units: failed \(failed: fault-health\.service\)/);
      assert.match(journal, /the release on trial is not healthy: it is given up/);
      await guest.machine.powerOff(BOOT);
      assert.equal((await bitsOnDisk(disk, 'B')).priority, 0);
      assert.deepEqual(await bitsOnDisk(disk, 'A'), {priority: 1, tries: 0, successful: true});
    });
  });
});

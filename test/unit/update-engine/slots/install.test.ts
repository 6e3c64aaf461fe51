import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {guidFromRootHash} from '../../../../formats/verity.ts';
import {INSTALL_STEPS, installRelease} from '../../../../update-engine/slots/install.ts';
import {readSlotsNow} from '../../../../update-engine/slots/slots-now.ts';
import {RecordingDisk} from '../../../support/recording-disk.ts';
import {bitsOf} from '../../../support/slot-disk.ts';
import {fakeErofs, installOptions, machineDisk, smallRelease} from '../../../support/update-world.ts';

const old = smallRelease('1.0.0', fakeErofs());
const older = smallRelease('0.9.0', fakeErofs());
const fresh = smallRelease('2.0.0', fakeErofs());

function freshDisk(): RecordingDisk {
  const slots = {A: [1, 0, true], B: [0, 0, false]} as const;
  return new RecordingDisk(machineDisk({slots, releases: {A: old}}));
}

function updatedDisk(): RecordingDisk {
  const slots = {A: [2, 0, true], B: [1, 0, true]} as const;
  return new RecordingDisk(machineDisk({slots, releases: {A: old, B: older}}));
}

describe('installRelease', () => {
  for (const [what, make] of [
    ['an empty slot', freshDisk],
    ['an older release', updatedDisk],
  ] as const) {
    it(`makes the new release next, over ${what}`, async () => {
      const disk = make();
      const steps: string[] = [];
      const options = installOptions(disk, fresh);
      const checked = await installRelease({
        ...options,
        onStep(step) {
          steps.push(step);
          options.onStep?.(step);
        },
      });
      assert.deepEqual(
        steps,
        INSTALL_STEPS.map(({name}) => name),
      );
      assert.equal(checked.rootHash, fresh.rootHash);
      assert.equal(checked.version, '2.0.0');
      const {table, agree} = await disk.useTable('read', readGpt);
      assert.ok(agree);
      assert.deepEqual(bitsOf(table), {A: [1, 0, true], B: [2, 2, false]});
      const now = await readSlotsNow(disk);
      assert.deepEqual(now.problems, []);
      assert.equal(now.boot.letter, 'B');
      assert.deepEqual(
        now.slots.map(({faults}) => faults),
        [[], []],
      );
      assert.equal(now.slots[1]?.partitionGuid, guidFromRootHash(fresh.rootHash));
      const {offset, bytes} = await disk.placeOf('A');
      assert.ok(Buffer.from(disk.image.read(offset, bytes)).subarray(0, old.usr.length).equals(old.usr));
    });
  }
});

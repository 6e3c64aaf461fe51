import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {describe, it} from 'node:test';
import {readSlots, slotLabel, slotUkiName} from '../../../formats/gpt/slots.ts';
import {selectSlot} from '../../../formats/gpt/selection.ts';
import {encodeGpt} from '../../../formats/gpt/table.ts';
import {GIB, MIB} from '../../../formats/units.ts';
import {
  ALIGNMENT_BYTES,
  PARTITIONS,
  freshTable,
  imageBytes,
  placePartitions,
} from '../../../formats/disk-layout.ts';
import {ESP_PATHS} from '../../../formats/slot/esp-paths.ts';

const USR_GUID = '01234567-89ab-cdef-0123-456789abcdef';
const derive = (text: string): string => createHash('sha256').update(text).digest('hex');
const table = (sectorSize: 512 | 4096, seed = 'caisson 1.2.3') =>
  freshTable({seed, usrGuid: USR_GUID}, sectorSize, derive);

describe('the layout', () => {
  it('is the one that installed hosts have', () => {
    // A change here leaves every host behind that was installed before it.
    assert.deepEqual(
      placePartitions().map(({label, offset, bytes}) => [label, offset / MIB, bytes / MIB]),
      [
        ['EFI-SYSTEM', 1, 1024],
        ['USR-A', 1025, 2048],
        ['USR-B', 3073, 2048],
        ['OEM', 5121, 128],
      ],
    );
    assert.equal(imageBytes(), 5 * GIB + 130 * MIB);
  });

  it('has partitions aligned, in order, and apart', () => {
    let end = 0;
    for (const {offset, bytes} of placePartitions()) {
      assert.equal(offset % ALIGNMENT_BYTES, 0);
      assert.ok(offset >= end);
      end = offset + bytes;
    }
    assert.ok(imageBytes() >= end + ALIGNMENT_BYTES);
  });

  it('uses the names by which slots are found', () => {
    assert.deepEqual([PARTITIONS.usrA.label, PARTITIONS.usrB.label], [slotLabel('A'), slotLabel('B')]);
    assert.equal(ESP_PATHS.ukiA, `EFI/caisson/${slotUkiName('A')}`);
    assert.equal(ESP_PATHS.ukiB, `EFI/caisson/${slotUkiName('B')}`);
  });
});

describe('freshTable', () => {
  for (const sectorSize of [512, 4096] as const) {
    it(`can be written with sectors of ${sectorSize} bytes, and places partitions alike`, () => {
      const fresh = table(sectorSize);
      encodeGpt(fresh);
      assert.equal(fresh.diskSectors, BigInt(imageBytes() / sectorSize));
      const used = fresh.entries.filter((entry) => entry !== null);
      assert.deepEqual(
        used.map(({name, firstLba, lastLba}) => [
          name,
          Number(firstLba) * sectorSize,
          Number(lastLba + 1n) * sectorSize,
        ]),
        placePartitions().map(({label, offset, bytes}) => [label, offset, offset + bytes]),
      );
    });
  }

  it('boots slot A, which counts as good, and never the empty one', () => {
    const slots = readSlots(table(512));
    assert.deepEqual(
      slots.map(({letter, priority, tries, successful}) => [letter, priority, tries, successful]),
      [
        ['A', 1, 0, true],
        ['B', 0, 0, false],
      ],
    );
    const choice = selectSlot(slots);
    assert.equal(choice.kind === 'boot' && choice.slot.letter, 'A');
    assert.equal(slots[0]?.partitionGuid, USR_GUID);
  });

  it('derives every other GUID from the release, so that two builds are the same and two releases are not', () => {
    assert.deepEqual(table(512), table(512));
    const guids = (seed: string): string[] => {
      const {diskGuid, entries} = table(512, seed);
      return [diskGuid, ...entries.flatMap((entry) => (entry === null ? [] : [entry.uniqueGuid]))];
    };
    const [one, other] = [guids('caisson 1.2.3'), guids('caisson 1.2.4')];
    assert.equal(new Set(one).size, one.length);
    assert.deepEqual(
      one.filter((guid) => other.includes(guid)),
      [USR_GUID],
    );
  });
});

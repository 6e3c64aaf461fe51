/** The rule in TypeScript against the table of cases that the selector's C has to pass, too. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {predictBoot, selectLastResort, selectSlot} from '../../../../formats/gpt/selection.ts';
import {readSlots} from '../../../../formats/gpt/slots.ts';
import {encodeGpt, gptWriteSteps} from '../../../../formats/gpt/table.ts';
import {GptError, type GptTable} from '../../../../formats/gpt/types.ts';
import {readGpt, updateGpt} from '../../../../platform/gpt-disk.ts';
import {SELECTOR_CASES, SMALL_DISK_BYTES, type SelectorCase} from '../../../fixtures/selector-cases.ts';
import {MemoryDisk} from '../../../support/memory-disk.ts';
import {bitsOf, slotTable} from '../../../support/slot-disk.ts';

async function makeDisk(test: SelectorCase): Promise<{disk: MemoryDisk; table: GptTable}> {
  const {sectorSize = 512, diskBytes = SMALL_DISK_BYTES, slots} = test;
  const options = {sectorSize, diskBytes, ...(test.firstSlot && {firstSlot: test.firstSlot})};
  const table = slotTable({...options, slots});
  const disk = new MemoryDisk(sectorSize, BigInt((test.grownBytes ?? diskBytes) / sectorSize));
  const encoded = encodeGpt(table);
  const backup = encodeGpt(slotTable({...options, slots: test.backupSlots ?? slots}));
  for (const part of ['primaryHeader', 'primaryEntries', 'backupHeader', 'backupEntries'] as const) {
    const {offset, bytes} = (part.startsWith('backup') ? backup : encoded)[part];
    const written = Uint8Array.from(bytes);
    if (test.damage?.includes(part)) written[60] = (written[60] ?? 0) ^ 0x55;
    await disk.writeAt(offset, written);
  }
  disk.log.length = 0;
  return {disk, table};
}

describe('slot selection', () => {
  for (const test of SELECTOR_CASES) {
    it(test.name, async () => {
      const {disk, table} = await makeDisk(test);
      if (test.line.includes('no usable partition table')) {
        await assert.rejects(
          readGpt(disk),
          (error) => error instanceof GptError && error.code === 'no-table',
        );
        return;
      }
      const {table: read} = await readGpt(disk);
      const prediction = predictBoot(read, test.unloadable);
      assert.equal(prediction.letter, test.starts);
      assert.equal(prediction.kind === 'last-resort', test.line.includes('last resort'));
      assert.deepEqual(bitsOf(prediction.table), test.after);

      if (test.stores[0] === undefined) return;
      await updateGpt(disk, () => prediction.table);
      const steps = gptWriteSteps(encodeGpt(table), test.stores[0]);
      assert.deepEqual(
        disk.log,
        steps.map((step) =>
          step.kind === 'flush' ? 'flush' : `write ${step.region.offset} ${step.region.bytes.length}`,
        ),
      );
      const reading = await readGpt(disk);
      assert.ok(reading.agree);
      assert.deepEqual(reading.table, prediction.table);
    });
  }

  it('has nothing to choose without slots', () => {
    assert.deepEqual(selectSlot([]), {kind: 'none'});
    assert.deepEqual(selectLastResort([]), {kind: 'none'});
  });

  it('tells how many tries are left after the start', () => {
    const table = slotTable({
      sectorSize: 512,
      diskBytes: SMALL_DISK_BYTES,
      slots: {A: [1, 4, true], B: [2, 3, false]},
    });
    const [a, b] = readSlots(table);
    assert.ok(a && b);
    assert.deepEqual(selectSlot([a, b]), {kind: 'boot', slot: b, triesAfter: 2});
    assert.deepEqual(selectSlot([a]), {kind: 'boot', slot: a, triesAfter: 4});
  });
});

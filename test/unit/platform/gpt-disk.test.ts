import assert from 'node:assert/strict';
import {mkdtemp, open, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {makeNext} from '../../../formats/gpt/slots.ts';
import {encodeGpt, newGptTable} from '../../../formats/gpt/table.ts';
import {GptError, type GptTable} from '../../../formats/gpt/types.ts';
import {createGpt, readGpt, updateGpt, withGptDisk, writeGpt} from '../../../platform/gpt-disk.ts';
import {MemoryDisk, PowerCut} from '../../support/memory-disk.ts';
import {slotTable, writeSlotDisk} from '../../support/slot-disk.ts';

const MIB = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), 'gpt-disk-'));
after(() => rm(folder, {recursive: true}));

async function memoryDisk(table: GptTable): Promise<MemoryDisk> {
  const disk = new MemoryDisk(table.sectorSize, table.diskSectors);
  await writeGpt(disk, table);
  return disk;
}

describe('a table on disk', () => {
  const before = slotTable({
    sectorSize: 512,
    diskBytes: 8 * MIB,
    slots: {A: [1, 0, true], B: [0, 0, false]},
  });
  const next = makeNext(before, 'B');

  for (const state of ['whole', 'primary damaged', 'backup damaged'] as const) {
    it(`is the old or the new one whenever power fails: ${state}`, async () => {
      const start = await memoryDisk(before);
      const {primaryHeader, backupHeader} = encodeGpt(before);
      if (state === 'primary damaged') await start.writeAt(primaryHeader.offset, new Uint8Array(512));
      if (state === 'backup damaged') await start.writeAt(backupHeader.offset, new Uint8Array(512));
      const seen = new Set<string>();
      for (let sectors = 0; sectors < 66; sectors++) {
        const disk = start.clone();
        disk.powerLeft = sectors;
        await assert.rejects(
          updateGpt(disk, () => next),
          PowerCut,
        );
        const {table} = await readGpt(disk.clone());
        const isNext = JSON.stringify(table, bigintText) === JSON.stringify(next, bigintText);
        if (!isNext) assert.deepEqual(table, before, `power cut after ${sectors} sectors`);
        seen.add(isNext ? 'new' : 'old');

        const again = disk.clone();
        await updateGpt(again, () => next);
        const reading = await readGpt(again);
        assert.ok(reading.agree);
        assert.deepEqual(reading.table, next);
      }
      assert.deepEqual([...seen], ['old', 'new']);
    });
  }

  it('is not written when the disk ends before its backup', async () => {
    const disk = new MemoryDisk(512, before.diskSectors - 1n);
    await assert.rejects(
      writeGpt(disk, before),
      (error) => error instanceof GptError && error.code === 'unreachable-backup',
    );
    assert.deepEqual(disk.log, []);
  });
});

describe('an image file', () => {
  for (const sectorSize of [512, 4096] as const) {
    it(`keeps a table of ${sectorSize}-byte sectors, found without being told the size`, async () => {
      const path = join(folder, `disk-${sectorSize}`);
      const table = await writeSlotDisk(path, {sectorSize, diskBytes: 8 * MIB, slots: {A: [1, 0, true]}});
      const changed = makeNext(table, 'A', 5);
      await withGptDisk(path, {write: true}, (disk) => updateGpt(disk, () => changed));
      const reading = await withGptDisk(path, {}, readGpt);
      assert.deepEqual(reading.table, changed);
      assert.ok(reading.agree);
    });
  }

  it('without a table is refused with the reason', async () => {
    const path = join(folder, 'empty');
    const file = await open(path, 'w');
    await file.truncate(MIB);
    await file.close();
    await assert.rejects(
      withGptDisk(path, {}, readGpt),
      (error) => error instanceof GptError && error.code === 'no-table',
    );
  });

  it('must have its final size before the table is made', async () => {
    const path = join(folder, 'small');
    await (await open(path, 'w')).close();
    const table = newGptTable({
      sectorSize: 512,
      diskSectors: 4096n,
      diskGuid: '5c2b3c1e-9c54-4c3f-8d1f-0c9a4e6d7b10',
    });
    await assert.rejects(createGpt(path, table), GptError);
  });
});

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

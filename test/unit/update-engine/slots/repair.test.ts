import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {crc32} from 'node:zlib';
import {makeNext} from '../../../../formats/gpt/slots.ts';
import {headerOf} from '../../../../formats/gpt/bounds.ts';
import {encodeHeader} from '../../../../formats/gpt/header.ts';
import {encodeGpt} from '../../../../formats/gpt/table.ts';
import type {GptTable} from '../../../../formats/gpt/types.ts';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {openHostSlots} from '../../../../update-engine/engine/host-slots.ts';
import {SlotError} from '../../../../update-engine/slots/errors.ts';
import {repairTable} from '../../../../update-engine/slots/repair.ts';
import {readSlotsNow} from '../../../../update-engine/slots/slots-now.ts';
import {WHOLE, powerCuts} from '../../../support/power-cut.ts';
import {type DiskImage, RecordingDisk} from '../../../support/recording-disk.ts';
import type {BitsOfSlots, TablePart} from '../../../support/slot-disk.ts';
import {fakeErofs, machineDisk, nextGuid, smallRelease} from '../../../support/update-world.ts';

const releases = {A: smallRelease('1.0.0', fakeErofs()), B: smallRelease('0.9.0', fakeErofs())};
/** Of an entry, UEFI 2.10 table 5.6. */
const ENTRY_BYTES = 128;
const LAST_LBA = 40;
const GOOD: BitsOfSlots = {A: [2, 0, true], B: [1, 0, true]};

async function tableOf(image: DiskImage): Promise<GptTable> {
  return (await new RecordingDisk(image).useTable('read', readGpt)).table;
}

async function diskWith(
  faults: Partial<Record<TablePart, 'damaged' | GptTable>>,
  slots: BitsOfSlots = GOOD,
): Promise<{disk: RecordingDisk; start: DiskImage; table: GptTable}> {
  const start = machineDisk({slots, releases});
  const table = await tableOf(start);
  for (const [part, fault] of Object.entries(faults) as [TablePart, 'damaged' | GptTable][]) {
    const {offset, bytes} = encodeGpt(fault === 'damaged' ? table : fault)[part];
    if (fault === 'damaged') bytes[60] = (bytes[60] ?? 0) ^ 0x55;
    start.write(offset, bytes);
  }
  return {disk: new RecordingDisk(start.clone()), start, table};
}

const other = makeNext(await tableOf(machineDisk({slots: GOOD, releases})), 'B');

describe('repairTable', () => {
  const faults: [string, Parameters<typeof diskWith>[0], RegExp][] = [
    [
      'the header of the primary',
      {primaryHeader: 'damaged'},
      /primary .* the primary was written anew from the backup$/,
    ],
    ['the entries of the primary', {primaryEntries: 'damaged'}, /primary .* anew from the backup$/],
    [
      'the header of the backup',
      {backupHeader: 'damaged'},
      /backup .* the backup was written anew from the primary$/,
    ],
    ['the entries of the backup', {backupEntries: 'damaged'}, /backup .* anew from the primary$/],
    [
      'a backup that says something else',
      {backupEntries: other, backupHeader: other},
      /^the two partition tables differed; the backup was written anew from the primary$/,
    ],
    ['a backup that was written by half', {backupEntries: other}, /backup .* anew from the primary$/],
    ['a primary that was written by half', {primaryEntries: other}, /primary .* anew from the backup$/],
  ];

  for (const [name, parts, detail] of faults) {
    it(`repairs ${name}`, async () => {
      const {disk, table} = await diskWith(parts);
      const repair = await repairTable(disk, 'A');
      assert.equal(repair?.outcome, 'repaired');
      assert.match(repair.detail, detail);
      const reading = await disk.useTable('read', readGpt);
      assert.ok(reading.agree);
      assert.deepEqual(reading.table, table);
      assert.deepEqual((await readSlotsNow(disk)).problems, []);
      assert.equal(await repairTable(new RecordingDisk(disk.image), 'A'), null);
    });

    it(`has the table that counts at every power cut while it repairs ${name}`, async () => {
      const {disk, start, table} = await diskWith(parts);
      await repairTable(disk, 'A');
      assert.deepEqual(
        disk.log.map(({kind}) => kind),
        ['write', 'write', 'flush', 'write', 'write', 'flush'],
      );
      let cuts = 0;
      for (const {image, kind} of powerCuts(start, disk.log, WHOLE, 1)) {
        cuts += 1;
        assert.deepEqual(await tableOf(image), table, kind);
        const again = new RecordingDisk(image);
        await repairTable(again, 'A');
        const reading = await again.useTable('read', readGpt);
        assert.ok(reading.agree, kind);
        assert.deepEqual(reading.table, table, kind);
      }
      assert.ok(cuts > 100);
    });
  }

  it('writes nothing on a disk whose copies are sound and equal', async () => {
    const {disk} = await diskWith({});
    assert.equal(await repairTable(disk, 'A'), null);
    assert.deepEqual(disk.log, []);
  });

  it('leaves the table to the verdict on a slot that is on trial', async () => {
    const {disk} = await diskWith({backupHeader: 'damaged'}, {A: [2, 1, false], B: [1, 0, true]});
    const repair = await repairTable(disk, 'A');
    assert.equal(repair?.outcome, 'left');
    assert.match(
      repair.detail,
      /^the backup .* was damaged \(.*\); not repaired: the running slot is on trial/,
    );
    assert.deepEqual(disk.log, []);
  });

  it('leaves a primary alone that the selector takes for sound', async () => {
    const {disk, table} = await diskWith({});
    const [, usr] = table.entries;
    assert.ok(usr !== null && usr !== undefined);
    // Partition 2 ends before it begins; the checksums are right.
    const {primaryEntries, primaryHeader} = encodeGpt(table);
    const entries = Buffer.from(primaryEntries.bytes);
    entries.writeBigUInt64LE(usr.firstLba - 1n, ENTRY_BYTES + LAST_LBA);
    disk.image.write(primaryEntries.offset, entries);
    const header = encodeHeader(headerOf(table, 'primary', crc32(entries)), 512);
    disk.image.write(primaryHeader.offset, header);
    const repair = await repairTable(disk, 'A');
    assert.equal(repair?.outcome, 'left');
    assert.match(repair.detail, /its checksums are right/);
    assert.deepEqual(disk.log, []);
  });

  it('is not done when both copies are lost, or the kernel knows other partitions', async () => {
    const {disk} = await diskWith({primaryHeader: 'damaged', backupHeader: 'damaged'});
    await assert.rejects(repairTable(disk, 'A'), {code: 'no-table'});
    assert.deepEqual(disk.log, []);
    const {disk: moved} = await diskWith({backupHeader: 'damaged'});
    moved.usePartition = () =>
      Promise.reject(new SlotError('bad-disk', 'the kernel has partition 2 elsewhere'));
    await assert.rejects(repairTable(moved, 'A'), {code: 'bad-disk'});
    assert.deepEqual(moved.log, []);
  });
});

describe('the repair of a host', () => {
  function slotsOf(disk: RecordingDisk) {
    const lines: string[] = [];
    const tools = {now: () => 5, randomGuid: nextGuid, warn: (text: string) => void lines.push(text)};
    return {lines, slots: openHostSlots({disk, active: 'A', idle: 'B'}, null, tools)};
  }

  it('is logged once and remembered', async () => {
    const {disk} = await diskWith({backupHeader: 'damaged'});
    const {lines, slots} = slotsOf(disk);
    assert.equal((await slots.look())?.problems.length, 1);
    await slots.repair();
    assert.deepEqual((await slots.look())?.problems, []);
    const repaired = slots.repaired();
    assert.deepEqual([repaired?.outcome, repaired?.at], ['repaired', 5]);
    assert.deepEqual(lines, [repaired?.detail]);
  });

  it('says nothing of a sound disk', async () => {
    const {lines, slots} = slotsOf((await diskWith({})).disk);
    await slots.repair();
    assert.deepEqual([slots.repaired(), lines], [null, []]);
  });

  it('does not keep the engine from beginning when the disk fails', async () => {
    const {disk} = await diskWith({backupHeader: 'damaged'});
    disk.before = ({kind}) => {
      if (kind === 'write') throw Object.assign(new Error('EIO: write'), {code: 'EIO'});
    };
    const {lines, slots} = slotsOf(disk);
    await slots.repair();
    assert.equal(slots.repaired()?.outcome, 'left');
    assert.deepEqual(lines, ['the partition table was not repaired: EIO: write']);
  });
});

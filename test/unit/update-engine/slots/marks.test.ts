import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {encodeGpt} from '../../../../formats/gpt/table.ts';
import {guidFromRootHash} from '../../../../formats/verity.ts';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {SlotError, type SlotErrorCode} from '../../../../update-engine/slots/errors.ts';
import {
  commitSlot,
  giveUpSlot,
  markGood,
  prepareSlot,
  rollbackTo,
} from '../../../../update-engine/slots/marks.ts';
import {readSlotsNow} from '../../../../update-engine/slots/slots-now.ts';
import {RecordingDisk} from '../../../support/recording-disk.ts';
import {type BitsOfSlots, bitsOf} from '../../../support/slot-disk.ts';
import {fakeErofs, machineDisk, nextGuid, smallRelease} from '../../../support/update-world.ts';

const old = smallRelease('1.0.0', fakeErofs());
const fresh = smallRelease('2.0.0', fakeErofs());

function diskWith(
  slots: BitsOfSlots,
  releases: Parameters<typeof machineDisk>[0]['releases'] = {A: old, B: fresh},
) {
  return new RecordingDisk(machineDisk({slots, releases}));
}

async function bits(disk: RecordingDisk): Promise<BitsOfSlots> {
  const {table, agree} = await disk.useTable('read', readGpt);
  assert.ok(agree);
  return bitsOf(table);
}

async function rejects(code: SlotErrorCode, action: () => Promise<unknown>, pattern = /./): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(error instanceof SlotError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('prepareSlot', () => {
  it('clears the bits and the GUID in one update, and does nothing the second time', async () => {
    const disk = diskWith({A: [2, 0, true], B: [1, 0, true]});
    const guid = nextGuid();
    await prepareSlot(disk, 'B', guid);
    assert.deepEqual(await bits(disk), {A: [2, 0, true], B: [0, 0, false]});
    const {table} = await disk.useTable('read', readGpt);
    assert.equal(table.entries[2]?.uniqueGuid, guid);
    assert.equal(table.entries[2].name, 'USR-B');
    assert.deepEqual(
      disk.log.map(({kind}) => kind),
      ['write', 'write', 'flush', 'write', 'write', 'flush'],
    );
    await prepareSlot(disk, 'B', nextGuid());
    assert.equal(disk.log.length, 6);
  });

  it('repairs a copy of the table that is damaged', async () => {
    const disk = diskWith({A: [1, 0, true], B: [0, 0, false]}, {A: old});
    const {table} = await disk.useTable('read', readGpt);
    disk.image.write(encodeGpt(table).primaryHeader.offset, new Uint8Array(512));
    await prepareSlot(disk, 'B', nextGuid());
    assert.ok((await disk.useTable('read', readGpt)).agree);
  });

  it('gives a new GUID to a slot that shares it with another', async () => {
    const disk = diskWith({A: [1, 0, true], B: [0, 0, false]}, {A: old, B: old});
    await prepareSlot(disk, 'B', nextGuid());
    const {table} = await disk.useTable('read', readGpt);
    assert.notEqual(table.entries[2]?.uniqueGuid, table.entries[1]?.uniqueGuid);
  });

  it('leaves the last good slot alone', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 1, false]});
    await rejects(
      'not-good',
      () => prepareSlot(disk, 'A', nextGuid()),
      /USR-B is not known to be good \(priority 2/,
    );
    assert.deepEqual(disk.log, []);
  });
});

describe('commitSlot', () => {
  it('wants a slot that was prepared, and a GUID of its own', async () => {
    const disk = diskWith({A: [2, 0, true], B: [1, 0, true]});
    const guid = guidFromRootHash(fresh.rootHash);
    await rejects('mismatch', () => commitSlot(disk, 'B', guid), /changed by somebody else/);
    await prepareSlot(disk, 'B', nextGuid());
    await rejects(
      'mismatch',
      () => commitSlot(disk, 'B', guidFromRootHash(old.rootHash)),
      /partition 2 has the GUID/,
    );
    await commitSlot(disk, 'B', guid);
    assert.deepEqual(await bits(disk), {A: [1, 0, true], B: [2, 2, false]});
  });
});

describe('markGood', () => {
  it('makes the running slot good, whatever it was', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 1, false]});
    await markGood(disk, 'B');
    assert.deepEqual(await bits(disk), {A: [1, 0, true], B: [2, 0, true]});
  });
});

describe('giveUpSlot', () => {
  it('leaves the slot, when the other one can take over', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 1, false]});
    await giveUpSlot(disk, 'B');
    assert.deepEqual(await bits(disk), {A: [1, 0, true], B: [0, 1, false]});
    assert.equal((await readSlotsNow(disk)).boot.letter, 'A');
  });

  it('keeps the last slot that can be started', async () => {
    for (const other of [
      [0, 0, true],
      [1, 0, false],
    ] as const) {
      const disk = diskWith({A: other, B: [2, 1, false]});
      await rejects('last-slot', () => giveUpSlot(disk, 'B'), /USR-B is the only slot/);
      assert.deepEqual(disk.log, []);
    }
    const empty = diskWith({A: [1, 0, true], B: [0, 0, false]}, {A: old});
    await rejects('last-slot', () => giveUpSlot(empty, 'A'), /slot B cannot take over: there is no UKI/);
  });
});

describe('rollbackTo', () => {
  it('makes the other slot next, as one that is good', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 0, true]});
    await rollbackTo(disk, 'A');
    assert.deepEqual(await bits(disk), {A: [2, 0, true], B: [1, 0, true]});
    await rollbackTo(disk, 'B');
    assert.deepEqual(await bits(disk), {A: [1, 0, true], B: [2, 0, true]});
  });

  it('does not start what was never good, was given up, or is not whole', async () => {
    for (const slot of [
      [1, 2, false],
      [0, 0, true],
      [0, 0, false],
    ] as const) {
      const disk = diskWith({A: slot, B: [2, 0, true]});
      await rejects('not-good', () => rollbackTo(disk, 'A'), /USR-A is not known to be good: priority/);
    }
    const disk = diskWith({A: [1, 0, true], B: [2, 0, true]}, {B: fresh});
    await rejects('not-good', () => rollbackTo(disk, 'A'), /slot A cannot take over/);
    assert.deepEqual(disk.log, []);
  });
});

describe('readSlotsNow', () => {
  it('says what is there and what would start', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 2, false]});
    const {slots, boot, problems} = await readSlotsNow(disk);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      slots.map(({letter, uki}) => [letter, uki.kind === 'uki' ? uki.version : uki.kind]),
      [
        ['A', '1.0.0'],
        ['B', '2.0.0'],
      ],
    );
    assert.deepEqual([boot.kind, boot.letter], ['boot', 'B']);
  });

  it('tells the faults of a slot and of the table', async () => {
    const disk = diskWith({A: [1, 0, true], B: [2, 2, false]}, {A: old});
    const {table} = await disk.useTable('read', readGpt);
    disk.image.write(encodeGpt(table).backupHeader.offset, new Uint8Array(512));
    const {slots, boot, problems} = await readSlotsNow(disk);
    assert.equal(boot.letter, 'A');
    assert.deepEqual(slots[1]?.faults, ['there is no UKI']);
    assert.match(problems.join(), /backup partition table is damaged/);
  });
});

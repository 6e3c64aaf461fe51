import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeGpt, locateEntries, type GptCopyBytes} from '../../../../formats/gpt/decode.ts';
import {encodeGpt, gptWriteSteps, newGptTable, setEntry} from '../../../../formats/gpt/table.ts';
import {GptError, type GptEntry, type GptTable, type SectorSize} from '../../../../formats/gpt/types.ts';
import {decodeGuid} from '../../../../formats/guid.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';
import {slotTable} from '../../../support/slot-disk.ts';

const MIB = 1024 * 1024;
const TABLE = slotTable({
  sectorSize: 512,
  diskBytes: 8 * MIB,
  slots: {A: [1, 0, true], B: [2, 3, false]},
});

const guid = fc.uint8Array({minLength: 16, maxLength: 16}).map(decodeGuid);
const entry: fc.Arbitrary<Omit<GptEntry, 'firstLba' | 'lastLba'>> = fc.record({
  typeGuid: guid.filter((value) => !value.startsWith('00000000')),
  uniqueGuid: guid,
  attributes: fc.bigInt({min: 0n, max: (1n << 64n) - 1n}),
  name: fc.string({unit: 'binary', maxLength: 18}).filter((text) => !text.includes('\0')),
});
/** Tables with partitions in any order on the disk, with gaps. */
const table: fc.Arbitrary<GptTable> = fc
  .record({
    sectorSize: fc.constantFrom<SectorSize>(512, 4096),
    entryCount: fc.constantFrom(1, 5, 128, 256),
    spare: fc.bigInt({min: 200n, max: 1n << 40n}),
    diskGuid: guid,
    places: fc.uniqueArray(fc.nat({max: 99}), {maxLength: 8}),
    entries: fc.array(entry, {minLength: 8, maxLength: 8}),
  })
  .map(({sectorSize, entryCount, spare, diskGuid, places, entries}) => {
    const empty = newGptTable({sectorSize, entryCount, diskGuid, diskSectors: 200n + spare});
    return places.slice(0, entryCount).reduce((result, place, index) => {
      const firstLba = empty.firstUsableLba + BigInt(place);
      const rest = entries[index] ?? entries[0];
      return rest === undefined ? result : setEntry(result, index, {...rest, firstLba, lastLba: firstLba});
    }, empty);
  });

function diskOf({sectorSize, diskSectors}: GptTable) {
  return {sectorSize, diskSectors};
}

function copiesOf(value: GptTable): {primary: GptCopyBytes; backup: GptCopyBytes} {
  const encoded = encodeGpt(value);
  return {
    primary: {header: encoded.primaryHeader.bytes, entries: encoded.primaryEntries.bytes},
    backup: {header: encoded.backupHeader.bytes, entries: encoded.backupEntries.bytes},
  };
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof GptError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('GPT codec', () => {
  it('survives encoding and decoding', () => {
    fc.assert(
      fc.property(table, (value) => {
        const {primary, backup} = copiesOf(value);
        const reading = decodeGpt(diskOf(value), primary, backup);
        assert.deepEqual(reading.table, value);
        assert.equal(reading.source, 'primary');
        assert.ok(reading.agree);
      }),
    );
  });

  it('gives the same table from the backup alone', () => {
    fc.assert(
      fc.property(table, (value) => {
        const {backup} = copiesOf(value);
        const none = {header: new Uint8Array(value.sectorSize), entries: new Uint8Array()};
        const reading = decodeGpt(diskOf(value), none, backup);
        assert.deepEqual(reading.table, value);
        assert.equal(reading.source, 'backup');
      }),
    );
  });

  it('places the copies where UEFI wants them', () => {
    const encoded = encodeGpt(TABLE);
    assert.equal(TABLE.firstUsableLba, 34n);
    assert.equal(TABLE.lastUsableLba, 16_384n - 34n);
    assert.equal(encoded.protectiveMbr.offset, 0);
    assert.equal(encoded.primaryHeader.offset, 512);
    assert.equal(encoded.primaryEntries.offset, 1024);
    assert.equal(encoded.backupEntries.offset, 8 * MIB - 33 * 512);
    assert.equal(encoded.backupHeader.offset, 8 * MIB - 512);
    const large = newGptTable({sectorSize: 4096, diskSectors: 1000n, diskGuid: TABLE.diskGuid});
    assert.deepEqual([large.firstUsableLba, large.lastUsableLba], [6n, 994n]);
  });

  it('notices a change of any single byte of header and entries', () => {
    // Eight entries instead of 128: fewer bytes to change one by one.
    const {sectorSize, diskSectors, diskGuid, entries} = TABLE;
    const empty = newGptTable({sectorSize, diskSectors, diskGuid, entryCount: 8});
    const small = {...empty, entries: entries.slice(0, 8)};
    const {primary, backup} = copiesOf({...small, lastUsableLba: TABLE.lastUsableLba});
    for (const part of ['header', 'entries'] as const) {
      for (let at = 0; at < primary[part].length; at++) {
        const bytes = Uint8Array.from(primary[part]);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
        const reading = decodeGpt(diskOf(small), {...primary, [part]: bytes}, backup);
        assert.equal(reading.source, 'backup', `${part} byte ${at}`);
        assert.deepEqual(reading.table.entries, small.entries);
      }
    }
  });

  it('refuses damaged bytes by GptError and nothing else', () => {
    const {primary, backup} = copiesOf(TABLE);
    fc.assert(
      fc.property(damaged(primary.header), damaged(primary.entries), (header, entries) => {
        const place = locateEntries(header, 1n, diskOf(TABLE));
        if (place !== null) assert.ok(place.length <= 32_768);
        succeedsOrThrows(GptError, () => decodeGpt(diskOf(TABLE), {header, entries}, null));
        assert.ok(decodeGpt(diskOf(TABLE), {header, entries}, backup));
      }),
      {numRuns: 500},
    );
  });

  it('lets the primary win over a valid backup that differs', () => {
    const {primary} = copiesOf(TABLE);
    const {backup} = copiesOf(setEntry(TABLE, 3, null));
    const reading = decodeGpt(diskOf(TABLE), primary, backup);
    assert.deepEqual(reading.table, TABLE);
    assert.ok(reading.backup.valid);
    assert.equal(reading.agree, false);
  });

  it('says why neither copy is valid', () => {
    const {primary, backup} = copiesOf(TABLE);
    const broken = {header: backup.header, entries: backup.entries.map((byte) => byte ^ 1)};
    assert.throws(
      () => decodeGpt(diskOf(TABLE), {...primary, header: new Uint8Array(512)}, broken),
      (error) =>
        error instanceof GptError && error.code === 'no-table' && /signature.*CRC/.test(error.message),
    );
  });

  it('reads a disk that ends before its backup table', () => {
    const {primary} = copiesOf(TABLE);
    const cut = {sectorSize: 512, diskSectors: TABLE.diskSectors - 10n} as const;
    const reading = decodeGpt(cut, primary, null);
    assert.equal(reading.backup.valid ? 'valid' : reading.backup.error.code, 'unreachable-backup');
    const shorter = {...cut, diskSectors: TABLE.lastUsableLba};
    assert.equal(
      codeOf(() => decodeGpt(shorter, primary, null)),
      'no-table',
    );
  });

  it('never encodes what it would not decode', () => {
    const one = TABLE.entries[0];
    assert.ok(one);
    const put = (change: Partial<GptEntry>) => () => encodeGpt(setEntry(TABLE, 0, {...one, ...change}));
    assert.equal(codeOf(put({lastLba: one.lastLba + 1n})), 'overlap');
    assert.equal(codeOf(put({lastLba: one.firstLba - 1n})), 'bad-bounds');
    assert.equal(codeOf(put({firstLba: 33n})), 'bad-bounds');
    assert.equal(codeOf(put({firstLba: TABLE.lastUsableLba, lastLba: TABLE.diskSectors})), 'bad-bounds');
    assert.equal(codeOf(put({name: 'x'.repeat(37)})), 'bad-name');
    assert.equal(codeOf(put({name: 'a\0b'})), 'bad-name');
    assert.equal(codeOf(put({attributes: 1n << 64n})), 'bad-attributes');
    assert.equal(codeOf(put({typeGuid: '00000000-0000-0000-0000-000000000000'})), 'bad-type');
    assert.equal(
      codeOf(() => encodeGpt({...TABLE, entrySize: 192})),
      'bad-entry-size',
    );
    assert.equal(
      codeOf(() => encodeGpt({...TABLE, lastUsableLba: TABLE.diskSectors})),
      'bad-bounds',
    );
    assert.equal(
      codeOf(() => setEntry(TABLE, 128, null)),
      'bad-entry-count',
    );
    const {sectorSize, diskGuid} = TABLE;
    assert.equal(
      codeOf(() => newGptTable({sectorSize, diskGuid, diskSectors: 60n})),
      'bad-bounds',
    );
    assert.equal(
      codeOf(() => newGptTable({sectorSize, diskGuid, diskSectors: 999n, entryCount: 257})),
      'bad-entry-count',
    );
  });

  it('writes one copy, flushes, and only then the other', () => {
    const order = (first: 'primary' | 'backup') =>
      gptWriteSteps(encodeGpt(TABLE), first).map((step) => (step.kind === 'flush' ? 'flush' : step.part));
    assert.deepEqual(order('backup'), [
      'backupEntries',
      'backupHeader',
      'flush',
      'primaryEntries',
      'primaryHeader',
      'flush',
    ]);
    assert.deepEqual(order('primary'), [...order('backup').slice(3), ...order('backup').slice(0, 3)]);
  });
});

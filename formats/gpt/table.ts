/** Making a table and the bytes of its two copies, in an order that survives a power cut. */
import {crc32} from 'node:zlib';
import type {Guid} from '../guid.ts';
import {checkTable, headerOf, PRIMARY_ENTRIES_LBA, type GptCopyName} from './bounds.ts';
import {encodeEntries} from './entries.ts';
import {encodeHeader} from './header.ts';
import {encodeProtectiveMbr} from './protective-mbr.ts';
import {
  checkEntryArray,
  DEFAULT_ENTRY_COUNT,
  DEFAULT_ENTRY_SIZE,
  entryArraySectors,
  GptError,
  type GptEntry,
  type GptTable,
  type SectorSize,
} from './types.ts';

/** Bytes for one place on the disk. */
export interface GptRegion {
  /** Bytes from the start of the disk. */
  offset: number;
  bytes: Uint8Array;
}

export interface EncodedGpt {
  protectiveMbr: GptRegion;
  primaryHeader: GptRegion;
  primaryEntries: GptRegion;
  backupEntries: GptRegion;
  backupHeader: GptRegion;
}

export type GptWriteStep = {kind: 'write'; part: keyof EncodedGpt; region: GptRegion} | {kind: 'flush'};

/** An empty table over the whole disk, laid out as every tool does it: arrays next to their headers. */
export function newGptTable(options: {
  sectorSize: SectorSize;
  diskSectors: bigint;
  diskGuid: Guid;
  entryCount?: number;
}): GptTable {
  const {sectorSize, diskSectors, diskGuid, entryCount = DEFAULT_ENTRY_COUNT} = options;
  checkEntryArray(entryCount, DEFAULT_ENTRY_SIZE);
  const arraySectors = entryArraySectors(entryCount, DEFAULT_ENTRY_SIZE, sectorSize);
  const backupEntriesLba = diskSectors - 1n - arraySectors;
  const table: GptTable = {
    sectorSize,
    diskGuid,
    diskSectors,
    firstUsableLba: PRIMARY_ENTRIES_LBA + arraySectors,
    lastUsableLba: backupEntriesLba - 1n,
    primaryEntriesLba: PRIMARY_ENTRIES_LBA,
    backupEntriesLba,
    entrySize: DEFAULT_ENTRY_SIZE,
    entries: Array.from({length: entryCount}, () => null),
  };
  checkTable(table);
  return table;
}

/** The table with one entry replaced; `index` counts from 0. Throws GptError when the table has no such entry. */
export function setEntry(table: GptTable, index: number, entry: GptEntry | null): GptTable {
  if (index < 0 || index >= table.entries.length) {
    throw new GptError('bad-entry-count', `no entry ${index} in a table of ${table.entries.length}`);
  }
  return {...table, entries: table.entries.map((old, at) => (at === index ? entry : old))};
}

/** All bytes of a table. Throws GptError when it breaks a rule, so that what is on disk never does. */
export function encodeGpt(table: GptTable): EncodedGpt {
  checkTable(table);
  const entries = encodeEntries(table.entries, table.entrySize);
  const crc = crc32(entries);
  const {sectorSize} = table;
  const primary = headerOf(table, 'primary', crc);
  const backup = headerOf(table, 'backup', crc);
  const padded = new Uint8Array(
    Number(entryArraySectors(table.entries.length, table.entrySize, sectorSize)) * sectorSize,
  );
  padded.set(entries);
  const at = (lba: bigint, bytes: Uint8Array) => ({offset: byteOffset(lba, sectorSize), bytes});
  return {
    protectiveMbr: at(0n, encodeProtectiveMbr(table.diskSectors, sectorSize)),
    primaryHeader: at(primary.myLba, encodeHeader(primary, sectorSize)),
    primaryEntries: at(primary.entriesLba, padded),
    backupEntries: at(backup.entriesLba, padded),
    backupHeader: at(backup.myLba, encodeHeader(backup, sectorSize)),
  };
}

/**
 * The writes of an update, in order. Between two flushes only one copy is touched, and it is never the only valid
 * one: backup first, unless the primary is the damaged copy (`first`). So at every moment a power cut leaves the old
 * table or the new one readable. UEFI 2.10 section 5.3.2 asks for backup before primary, too.
 */
export function gptWriteSteps(encoded: EncodedGpt, first: GptCopyName = 'backup'): GptWriteStep[] {
  const order = first === 'backup' ? (['backup', 'primary'] as const) : (['primary', 'backup'] as const);
  return order.flatMap((copy): GptWriteStep[] => [
    {kind: 'write', part: `${copy}Entries`, region: encoded[`${copy}Entries`]},
    {kind: 'write', part: `${copy}Header`, region: encoded[`${copy}Header`]},
    {kind: 'flush'},
  ]);
}

/** Bytes from the start of the disk. Throws GptError beyond 8 PiB, where a number is no longer exact. */
export function byteOffset(lba: bigint, sectorSize: SectorSize): number {
  const offset = lba * BigInt(sectorSize);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new GptError('bad-bounds', `sector ${lba} is beyond what this program can address`);
  }
  return Number(offset);
}

/**
 * Reading a table from the bytes of its two copies.
 *
 * The caller fetches the bytes, because only it knows how to reach the disk: the header sector of a copy first, then
 * the entries where `locateEntries` says they are. `platform/gpt-disk.ts` does that for files and block devices.
 */
import {crc32} from 'node:zlib';
import {
  checkHeaderBounds,
  checkPartitions,
  PRIMARY_ENTRIES_LBA,
  PRIMARY_HEADER_LBA,
  type GptCopyName,
} from './bounds.ts';
import {decodeEntries} from './entries.ts';
import {decodeHeader, type GptHeader} from './header.ts';
import {byteOffset} from './table.ts';
import {entryArraySectors, GptError, type GptEntry, type GptTable, type SectorSize} from './types.ts';

export interface GptDiskSize {
  sectorSize: SectorSize;
  /** Of the disk as it is now, which may be more than the table covers. */
  diskSectors: bigint;
}

/** What was read of one copy; `entries` is empty when the header did not say where they are. */
export interface GptCopyBytes {
  header: Uint8Array;
  entries: Uint8Array;
}

export type GptCopy =
  {valid: true; header: GptHeader; entries: readonly (GptEntry | null)[]} | {valid: false; error: GptError};

export interface GptReading {
  table: GptTable;
  source: GptCopyName;
  primary: GptCopy;
  backup: GptCopy;
  /** Both copies are valid and say the same. */
  agree: boolean;
}

/** Where the entries of a copy lie, or null when its header is not valid. */
export function locateEntries(
  headerSector: Uint8Array,
  headerLba: bigint,
  disk: GptDiskSize,
): {offset: number; length: number} | null {
  try {
    const header = decodeBoundedHeader(headerSector, headerLba, disk);
    return {
      offset: byteOffset(header.entriesLba, disk.sectorSize),
      length: header.entryCount * header.entrySize,
    };
  } catch (error) {
    if (error instanceof GptError) return null;
    throw error;
  }
}

/**
 * The sector of the backup header: where a valid primary header says it is, else the last of the disk (UEFI 2.10
 * section 5.3.2). Null when that lies beyond the end of the disk.
 */
export function locateBackupHeader(primaryHeaderSector: Uint8Array, disk: GptDiskSize): bigint | null {
  let lba = disk.diskSectors - 1n;
  try {
    lba = decodeBoundedHeader(primaryHeaderSector, PRIMARY_HEADER_LBA, disk).alternateLba;
  } catch (error) {
    if (!(error instanceof GptError)) throw error;
  }
  return lba < disk.diskSectors && lba > PRIMARY_HEADER_LBA ? lba : null;
}

/**
 * Decides between the copies: the primary wins when it is valid, even over a valid backup that differs, because an
 * update writes the backup first and counts only when both are written. Throws GptError when neither is valid.
 */
export function decodeGpt(
  disk: GptDiskSize,
  primaryBytes: GptCopyBytes,
  backupBytes: GptCopyBytes | null,
): GptReading {
  const primary = decodeCopy(primaryBytes, PRIMARY_HEADER_LBA, disk);
  const backup = decodeBackup(disk, primaryBytes, backupBytes);
  if (primary.valid) {
    const agree = backup.valid && isSameTable(primary, backup);
    // A backup that differs may lie elsewhere; it is about to be replaced at the usual place.
    const entriesLba = backup.valid && agree ? backup.header.entriesLba : null;
    return {table: tableOf(primary, entriesLba, disk), source: 'primary', primary, backup, agree};
  }
  if (backup.valid) {
    return {table: tableOf(backup, null, disk), source: 'backup', primary, backup, agree: false};
  }
  throw new GptError(
    'no-table',
    `no valid partition table; primary: ${primary.error.message}; backup: ${backup.error.message}`,
    {cause: primary.error},
  );
}

function decodeBackup(disk: GptDiskSize, primaryBytes: GptCopyBytes, bytes: GptCopyBytes | null): GptCopy {
  const lba = locateBackupHeader(primaryBytes.header, disk);
  if (lba === null || bytes === null) {
    const error = new GptError('unreachable-backup', `the disk ends before its backup table`);
    return {valid: false, error};
  }
  return decodeCopy(bytes, lba, disk);
}

function decodeCopy(bytes: GptCopyBytes, lba: bigint, disk: GptDiskSize): GptCopy {
  try {
    const header = decodeBoundedHeader(bytes.header, lba, disk);
    const length = header.entryCount * header.entrySize;
    const crc = crc32(bytes.entries.subarray(0, length));
    if (bytes.entries.length >= length && crc !== header.entriesCrc) {
      throw new GptError(
        'bad-entries-crc',
        `the entries of the table in sector ${lba} do not match their CRC`,
      );
    }
    const entries = decodeEntries(bytes.entries, header.entryCount, header.entrySize);
    checkPartitions(entries, header);
    return {valid: true, header, entries};
  } catch (error) {
    if (error instanceof GptError) return {valid: false, error};
    throw error;
  }
}

function decodeBoundedHeader(sector: Uint8Array, lba: bigint, disk: GptDiskSize): GptHeader {
  if (sector.length !== disk.sectorSize) {
    throw new GptError('truncated', `sector ${lba} has ${sector.length} bytes, expected ${disk.sectorSize}`);
  }
  const header = decodeHeader(sector, lba);
  checkHeaderBounds(header, lba === PRIMARY_HEADER_LBA ? 'primary' : 'backup', disk);
  return header;
}

function tableOf(
  copy: GptCopy & {valid: true},
  backupEntriesLba: bigint | null,
  {sectorSize}: GptDiskSize,
): GptTable {
  const {header, entries} = copy;
  const isPrimary = header.myLba === PRIMARY_HEADER_LBA;
  const backupLba = isPrimary ? header.alternateLba : header.myLba;
  const arraySectors = entryArraySectors(header.entryCount, header.entrySize, sectorSize);
  return {
    sectorSize,
    diskGuid: header.diskGuid,
    diskSectors: backupLba + 1n,
    firstUsableLba: header.firstUsableLba,
    lastUsableLba: header.lastUsableLba,
    primaryEntriesLba: isPrimary ? header.entriesLba : PRIMARY_ENTRIES_LBA,
    backupEntriesLba: isPrimary ? (backupEntriesLba ?? backupLba - arraySectors) : header.entriesLba,
    entrySize: header.entrySize,
    entries,
  };
}

function isSameTable(a: GptCopy & {valid: true}, b: GptCopy & {valid: true}): boolean {
  // Equal CRCs of equally many bytes: the arrays were both checked against them.
  return (
    a.header.entriesCrc === b.header.entriesCrc &&
    a.header.diskGuid === b.header.diskGuid &&
    a.header.entryCount === b.header.entryCount &&
    a.header.entrySize === b.header.entrySize &&
    a.header.firstUsableLba === b.header.firstUsableLba &&
    a.header.lastUsableLba === b.header.lastUsableLba
  );
}

/** What a GUID partition table holds, as a value; UEFI 2.10 section 5.3. */
import {CodedError} from '../errors.ts';
import type {Guid} from '../guid.ts';

export type GptErrorCode =
  | 'bad-sector-size'
  | 'truncated'
  | 'bad-signature'
  | 'bad-revision'
  | 'bad-header-size'
  | 'bad-header-crc'
  | 'bad-location'
  | 'bad-reserved'
  | 'bad-entry-size'
  | 'bad-entry-count'
  | 'bad-entries-crc'
  | 'bad-bounds'
  | 'bad-type'
  | 'bad-name'
  | 'bad-attributes'
  | 'overlap'
  /** Neither copy of the table is valid. */
  | 'no-table'
  /** The disk ends before its backup table, so that no crash-safe write is possible. */
  | 'unreachable-backup'
  | 'no-slot'
  | 'bad-slot-bits';

export class GptError extends CodedError<GptErrorCode> {}

/** Partition types that Caisson's layout uses: UEFI 2.10 table 5.7 and the Discoverable Partitions Specification. */
export const PARTITION_TYPES = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  usrX86_64: '8484680c-9521-48c6-9c11-b0720656f69e',
  rootX86_64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  linuxData: '0fc63daf-8483-4772-8e79-3d69d8477de4',
} as const satisfies Record<string, Guid>;

/** Bytes in a logical block. */
export type SectorSize = 512 | 4096;

/** A used entry, UEFI 2.10 table 5.6. */
export interface GptEntry {
  typeGuid: Guid;
  uniqueGuid: Guid;
  firstLba: bigint;
  /** Inclusive. */
  lastLba: bigint;
  /** 64 bits; 48 to 63 belong to the partition type, see slots.ts. */
  attributes: bigint;
  /** At most 36 UTF-16 units. */
  name: string;
}

/** One whole table, from which both copies on disk follow. Values are never changed in place. */
export interface GptTable {
  sectorSize: SectorSize;
  diskGuid: Guid;
  /** Sectors that the table covers; its backup header is the last of them. A disk that has grown has more. */
  diskSectors: bigint;
  firstUsableLba: bigint;
  /** Inclusive. */
  lastUsableLba: bigint;
  primaryEntriesLba: bigint;
  backupEntriesLba: bigint;
  /** Bytes; a power of two from 128. */
  entrySize: number;
  /** By partition index from 0 (partition number less one); null is an unused entry. */
  entries: readonly (GptEntry | null)[];
}

/**
 * Largest entry array that we read, in bytes: 256 entries of 128, twice what tools write. The selector has fixed
 * buffers of this size.
 */
export const MAX_ENTRY_ARRAY_BYTES = 32_768;
export const DEFAULT_ENTRY_SIZE = 128;
export const DEFAULT_ENTRY_COUNT = 128;

/** Sectors that an entry array takes. */
export function entryArraySectors(entryCount: number, entrySize: number, sectorSize: SectorSize): bigint {
  return BigInt(Math.ceil((entryCount * entrySize) / sectorSize));
}

/** Throws GptError unless the sector size is one that we support. */
export function checkSectorSize(bytes: number): SectorSize {
  if (bytes === 512 || bytes === 4096) return bytes;
  throw new GptError('bad-sector-size', `sectors of ${bytes} bytes are not supported, only 512 and 4096`);
}

/** Throws GptError unless array and entry size are within UEFI's rules (table 5.5) and our bound. */
export function checkEntryArray(entryCount: number, entrySize: number): void {
  const isPowerOfTwo = (entrySize & (entrySize - 1)) === 0;
  if (!Number.isInteger(entrySize) || entrySize < 128 || entrySize > 4096 || !isPowerOfTwo) {
    throw new GptError(
      'bad-entry-size',
      `entry size must be a power of two from 128 to 4096, got ${entrySize}`,
    );
  }
  if (!Number.isInteger(entryCount) || entryCount < 1 || entryCount * entrySize > MAX_ENTRY_ARRAY_BYTES) {
    throw new GptError(
      'bad-entry-count',
      `${entryCount} entries of ${entrySize} bytes are not between 1 entry and ${MAX_ENTRY_ARRAY_BYTES} bytes`,
    );
  }
}

/** Where a table's parts and partitions may lie; UEFI 2.10 sections 5.3.1 to 5.3.3. */
import type {GptHeader} from './header.ts';
import {
  checkEntryArray,
  entryArraySectors,
  GptError,
  type GptEntry,
  type GptTable,
  type SectorSize,
} from './types.ts';

export type GptCopyName = 'primary' | 'backup';

export const PRIMARY_HEADER_LBA = 1n;
/** Where every tool puts the primary entry array. */
export const PRIMARY_ENTRIES_LBA = 2n;

/**
 * Throws GptError unless the header describes a table that this disk can hold. The backup of a primary header may
 * lie beyond `diskSectors`: the usable part decides whether a disk was cut off.
 */
export function checkHeaderBounds(
  header: GptHeader,
  which: GptCopyName,
  disk: {sectorSize: SectorSize; diskSectors: bigint},
): void {
  const {firstUsableLba, lastUsableLba, entriesLba, alternateLba, myLba} = header;
  const arrayEnd = entriesLba + entryArraySectors(header.entryCount, header.entrySize, disk.sectorSize);
  if (firstUsableLba > lastUsableLba || lastUsableLba >= disk.diskSectors) {
    throw new GptError(
      'bad-bounds',
      `usable sectors ${firstUsableLba} to ${lastUsableLba} do not lie on a disk of ${disk.diskSectors}`,
    );
  }
  const isPlaced =
    which === 'primary'
      ? entriesLba >= PRIMARY_ENTRIES_LBA && arrayEnd <= firstUsableLba && alternateLba > lastUsableLba
      : entriesLba > lastUsableLba && arrayEnd <= myLba && alternateLba === PRIMARY_HEADER_LBA;
  if (!isPlaced) {
    throw new GptError(
      'bad-bounds',
      `entries of the ${which} table at ${entriesLba} to ${arrayEnd - 1n} or its other copy at ${alternateLba} ` +
        `do not fit around the usable sectors ${firstUsableLba} to ${lastUsableLba}`,
    );
  }
}

/** Throws GptError unless all partitions lie in the usable sectors and none shares a sector with another. */
export function checkPartitions(
  entries: readonly (GptEntry | null)[],
  usable: {firstUsableLba: bigint; lastUsableLba: bigint},
): void {
  const used = entries.flatMap((entry, index) => (entry === null ? [] : [{...entry, number: index + 1}]));
  for (const {firstLba, lastLba, number} of used) {
    if (firstLba > lastLba || firstLba < usable.firstUsableLba || lastLba > usable.lastUsableLba) {
      throw new GptError(
        'bad-bounds',
        `partition ${number} at ${firstLba} to ${lastLba} is not within the usable sectors ` +
          `${usable.firstUsableLba} to ${usable.lastUsableLba}`,
      );
    }
  }
  used.sort((a, b) => (a.firstLba < b.firstLba ? -1 : 1));
  for (const [position, entry] of used.entries()) {
    const next = used[position + 1];
    if (next !== undefined && next.firstLba <= entry.lastLba) {
      throw new GptError('overlap', `partitions ${entry.number} and ${next.number} share sectors`);
    }
  }
}

/** Throws GptError unless both copies of the table fit their disk. */
export function checkTable(table: GptTable): void {
  checkEntryArray(table.entries.length, table.entrySize);
  for (const which of ['primary', 'backup'] as const) {
    checkHeaderBounds(headerOf(table, which, 0), which, table);
  }
  checkPartitions(table.entries, table);
}

/** The header of one copy, given the CRC of its encoded entries. */
export function headerOf(table: GptTable, which: GptCopyName, entriesCrc: number): GptHeader {
  const backupLba = table.diskSectors - 1n;
  const isPrimary = which === 'primary';
  return {
    myLba: isPrimary ? PRIMARY_HEADER_LBA : backupLba,
    alternateLba: isPrimary ? backupLba : PRIMARY_HEADER_LBA,
    firstUsableLba: table.firstUsableLba,
    lastUsableLba: table.lastUsableLba,
    diskGuid: table.diskGuid,
    entriesLba: isPrimary ? table.primaryEntriesLba : table.backupEntriesLba,
    entryCount: table.entries.length,
    entrySize: table.entrySize,
    entriesCrc,
  };
}

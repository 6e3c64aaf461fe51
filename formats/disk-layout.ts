/**
 * The disk as data: partitions, sizes and where they begin. Sizes are a contract with every installed host, which a
 * later release cannot change; see docs/disk.md.
 */
import {type Guid, guidFromHex} from './guid.ts';
import {type GptEntry, type GptTable, PARTITION_TYPES, type SectorSize} from './gpt/types.ts';
import {writeSlotBits} from './gpt/slots.ts';
import {newGptTable, setEntry} from './gpt/table.ts';
import {GIB, MIB} from './units.ts';

export interface Partition {
  label: string;
  type: Guid;
  bytes: number;
}

/** In the order of the table; ROOT follows on the host's first boot. */
export const PARTITIONS = {
  esp: {label: 'EFI-SYSTEM', type: PARTITION_TYPES.esp, bytes: GIB},
  usrA: {label: 'USR-A', type: PARTITION_TYPES.usrX86_64, bytes: 2 * GIB},
  usrB: {label: 'USR-B', type: PARTITION_TYPES.usrX86_64, bytes: 2 * GIB},
  oem: {label: 'OEM', type: PARTITION_TYPES.linuxData, bytes: 128 * MIB},
} as const satisfies Record<string, Partition>;

export type PartitionName = keyof typeof PARTITIONS;
export const PARTITION_NAMES = Object.keys(PARTITIONS) as PartitionName[];

/** Partitions begin at multiples of this: erase blocks of flash, stripes of arrays. */
export const ALIGNMENT_BYTES = MIB;

export interface PlacedPartition extends Partition {
  name: PartitionName;
  /** Byte offset on the disk. */
  offset: number;
}

/** Where each partition begins, one after the other. */
export function placePartitions(): PlacedPartition[] {
  let offset = ALIGNMENT_BYTES;
  return PARTITION_NAMES.map((name) => {
    const placed = {name, ...PARTITIONS[name], offset};
    offset += placed.bytes;
    return placed;
  });
}

/** Length of the image in bytes: all partitions, and room for the backup table behind them. */
export function imageBytes(): number {
  return placePartitions().reduce((sum, {bytes}) => sum + bytes, ALIGNMENT_BYTES) + ALIGNMENT_BYTES;
}

export interface DiskIdentity {
  /** Any text that names the release; disk and partition GUIDs are derived from it. */
  seed: string;
  /** The GUID of USR-A, which its root hash dictates. */
  usrGuid: Guid;
}

/** The table of a fresh image, which is the same for every build of a release. */
export function freshTable(
  identity: DiskIdentity,
  sectorSize: SectorSize,
  derive: (text: string) => string,
): GptTable {
  const guid = (what: string): Guid => guidFromHex(derive(`${identity.seed} ${what}`).slice(0, 32));
  return layoutTable({
    sectorSize,
    diskSectors: BigInt(imageBytes() / sectorSize),
    diskGuid: guid('disk'),
    usrGuid: identity.usrGuid,
    guidOf: guid,
  });
}

/**
 * The table of a disk of any size: slot A holds the release and counts as good, because there is nothing to fall back
 * to. `guidOf` is asked by label for the partitions whose GUID is free to choose.
 */
export function layoutTable(options: {
  sectorSize: SectorSize;
  diskSectors: bigint;
  diskGuid: Guid;
  usrGuid: Guid;
  guidOf: (label: string) => Guid;
}): GptTable {
  const {sectorSize, diskSectors, diskGuid, usrGuid, guidOf} = options;
  let table = newGptTable({sectorSize, diskGuid, diskSectors});
  for (const [index, {name, label, type, bytes, offset}] of placePartitions().entries()) {
    const entry: GptEntry = {
      typeGuid: type,
      uniqueGuid: name === 'usrA' ? usrGuid : guidOf(label),
      firstLba: BigInt(offset / sectorSize),
      lastLba: BigInt((offset + bytes) / sectorSize) - 1n,
      attributes: name === 'usrA' ? writeSlotBits(0n, {priority: 1, tries: 0, successful: true}) : 0n,
      name: label,
    };
    table = setEntry(table, index, entry);
  }
  return table;
}

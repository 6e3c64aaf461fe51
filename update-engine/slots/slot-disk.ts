/**
 * The disk with the slots, as the steps of an update see it: the table through the whole disk, each partition through
 * its own device. A host has one (host-disk.ts), an image file is another, tests record or break a third.
 *
 * Everything is opened for one call and closed after it. When the whole disk is closed after writing, udev asks the
 * kernel to read the table again and refreshes its links; nothing waits for that, because
 * partitions keep their places and only the next boot looks a slot up by its GUID.
 */
import {type SlotLetter, findSlot} from '../../formats/gpt/slots.ts';
import {type GptEntry, type GptTable, PARTITION_TYPES} from '../../formats/gpt/types.ts';
import {type GptDisk, readGpt, withGptDisk} from '../../platform/gpt-disk.ts';
import {SlotError} from './errors.ts';
import {type Target, type TargetMode, withTarget} from './target.ts';

export type SlotPartition = 'esp' | SlotLetter;

export interface SlotDisk {
  /** For messages. */
  readonly path: string;
  useTable<T>(mode: TargetMode, use: (disk: GptDisk) => Promise<T>): Promise<T>;
  usePartition<T>(
    partition: SlotPartition,
    mode: TargetMode,
    use: (target: Target) => Promise<T>,
  ): Promise<T>;
}

/** Where a partition is in the table. Throws SlotError 'bad-disk', or GptError 'no-slot'. */
export function findPartition(table: GptTable, partition: SlotPartition): {index: number; entry: GptEntry} {
  const index =
    partition === 'esp'
      ? table.entries.findIndex((entry) => entry?.typeGuid === PARTITION_TYPES.esp)
      : findSlot(table, partition).index;
  const entry = table.entries[index];
  if (entry === null || entry === undefined)
    throw new SlotError('bad-disk', 'the disk has no EFI system partition');
  return {index, entry};
}

/** An image file that holds a whole disk. */
export function imageSlotDisk(path: string): SlotDisk {
  const useTable: SlotDisk['useTable'] = (mode, use) => withGptDisk(path, {write: mode === 'write'}, use);
  return {
    path,
    useTable,
    async usePartition(partition, mode, use) {
      const {table} = await useTable('read', readGpt);
      const {entry} = findPartition(table, partition);
      const region = {
        offset: Number(entry.firstLba) * table.sectorSize,
        bytes: Number(entry.lastLba - entry.firstLba + 1n) * table.sectorSize,
      };
      return withTarget({path, region}, mode, use);
    },
  };
}

/**
 * Taking away what makes a disk look bootable, before anything else is overwritten: first every copy of a partition
 * table and the boot code, then the mark of every EFI system partition there was. Until the first flush the old system
 * is whole, whichever of the writes arrived; after it nothing finds the disk's partitions any more.
 */
import {byteOffset} from '../../formats/gpt/table.ts';
import {GptError, PARTITION_TYPES, type SectorSize} from '../../formats/gpt/types.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import type {InstallDisk} from './disk.ts';
import {type Place, edgesOf} from './plan.ts';

const SECTOR_SIZES: readonly SectorSize[] = [512, 4096];
/** Boot sector, its backup, and what else a file system begins with. */
const SYSTEM_BYTES = 64 * 1024;

interface OldMarks {
  /** Backup tables that do not lie at the end: the disk has grown, or an image was copied onto it. */
  backups: readonly Place[];
  systems: readonly Place[];
}

export async function wipeDisk(disk: InstallDisk): Promise<void> {
  const {backups, systems} = await findOldMarks(disk);
  for (const {offset, bytes} of [...backups, ...edgesOf(disk.bytes)]) await disk.zero(offset, bytes);
  await disk.flush();
  for (const {offset, bytes} of systems) await disk.zero(offset, bytes);
  await disk.flush();
}

/** Of a table written for either size of sectors: the disk may have been behind another controller. */
async function findOldMarks(disk: InstallDisk): Promise<OldMarks> {
  const backups: Place[] = [];
  const systems: Place[] = [];
  for (const sectorSize of SECTOR_SIZES) {
    const diskSectors = BigInt(Math.floor(disk.bytes / sectorSize));
    try {
      const {table} = await readGpt({...disk, sectorSize, diskSectors});
      const sectors = table.diskSectors < diskSectors ? table.diskSectors : diskSectors;
      backups.push({offset: byteOffset(sectors - 1n, sectorSize), bytes: sectorSize});
      for (const entry of table.entries)
        if (entry?.typeGuid === PARTITION_TYPES.esp)
          systems.push({
            offset: byteOffset(entry.firstLba, sectorSize),
            bytes: Math.min(SYSTEM_BYTES, byteOffset(entry.lastLba - entry.firstLba + 1n, sectorSize)),
          });
    } catch (error) {
      if (!(error instanceof GptError)) throw error;
    }
  }
  return {backups, systems};
}

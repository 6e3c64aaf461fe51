/**
 * Partition tables on real disks and image files: the bytes that formats/gpt decodes come from here, and the bytes
 * it encodes are written here with a flush between the copies.
 *
 * Not sfdisk or cgpt: neither writes in an order that survives a power cut, and the host should carry no partition
 * tool for nine bits. Only one process may update a table at a time; the kernel has no lock for it that Node could
 * take.
 */
import {type FileHandle, open, readFile} from 'node:fs/promises';
import type {GptCopyName} from '../formats/gpt/bounds.ts';
import {
  decodeGpt,
  locateBackupHeader,
  locateEntries,
  type GptCopyBytes,
  type GptDiskSize,
  type GptReading,
} from '../formats/gpt/decode.ts';
import {byteOffset, encodeGpt, gptWriteSteps, type GptRegion} from '../formats/gpt/table.ts';
import {checkSectorSize, GptError, type GptTable, type SectorSize} from '../formats/gpt/types.ts';
import {readerOf} from './files.ts';
import {namingErrors} from './io-error.ts';

/** A disk that can be read; offsets are bytes. `readAt` gives fewer bytes only at the end of the disk. */
export interface GptReader extends GptDiskSize {
  readAt(offset: number, length: number): Promise<Uint8Array>;
}

export interface GptDisk extends GptReader {
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** Resolves when everything written before is on stable storage. */
  flush(): Promise<void>;
}

/** Reads both copies. Throws GptError when neither is valid. */
export async function readGpt(disk: GptReader): Promise<GptReading> {
  const primary = await readCopy(disk, 1n);
  const backupLba = locateBackupHeader(primary.header, disk);
  return decodeGpt(disk, primary, backupLba === null ? null : await readCopy(disk, backupLba));
}

/**
 * Writes both copies over what is there, leaving the protective MBR alone. `first` names the copy that may be lost
 * when power fails half-way: the damaged one if there is one. Throws GptError.
 */
export async function writeGpt(disk: GptDisk, table: GptTable, first: GptCopyName = 'backup'): Promise<void> {
  if (table.diskSectors > disk.diskSectors) {
    throw new GptError(
      'unreachable-backup',
      `the table wants ${table.diskSectors} sectors, but the disk has ${disk.diskSectors}`,
      {hint: 'was the disk made smaller, or the image cut off while it was copied?'},
    );
  }
  for (const step of gptWriteSteps(encodeGpt(table), first)) {
    if (step.kind === 'flush') await disk.flush();
    else await disk.writeAt(step.region.offset, step.region.bytes);
  }
}

/** Reads, changes and writes the table of a disk; also repairs a damaged copy. Returns the table as written. */
export async function updateGpt(disk: GptDisk, change: (table: GptTable) => GptTable): Promise<GptTable> {
  const {table, source} = await readGpt(disk);
  const changed = change(table);
  await writeGpt(disk, changed, source === 'backup' ? 'primary' : 'backup');
  return changed;
}

/** Writes a new table with its protective MBR to an image file that has its final size. */
export async function createGpt(path: string, table: GptTable): Promise<void> {
  await withGptDisk(path, {write: true, sectorSize: table.sectorSize}, async (disk) => {
    const mbr: GptRegion = encodeGpt(table).protectiveMbr;
    await disk.writeAt(mbr.offset, mbr.bytes);
    await writeGpt(disk, table);
  });
}

export interface GptDiskOptions {
  /** Opens for writing, too. */
  write?: boolean;
  /** Of an image file; a block device knows its own. Left out, it is found by looking for a table. */
  sectorSize?: SectorSize;
}

/** Opens a whole-disk block device or an image file for the length of one call. */
export async function withGptDisk<T>(
  path: string,
  options: GptDiskOptions,
  use: (disk: GptDisk) => Promise<T>,
): Promise<T> {
  const file = await open(path, options.write === true ? 'r+' : 'r');
  try {
    return await use(named(path, await measureDisk(file, options.sectorSize)));
  } finally {
    await file.close();
  }
}

async function readCopy(disk: GptReader, headerLba: bigint): Promise<GptCopyBytes> {
  const header = await disk.readAt(byteOffset(headerLba, disk.sectorSize), disk.sectorSize);
  const place = locateEntries(header, headerLba, disk);
  const entries = place === null ? new Uint8Array() : await disk.readAt(place.offset, place.length);
  return {header, entries};
}

async function measureDisk(file: FileHandle, sectorSize: SectorSize | undefined): Promise<GptDisk> {
  const stat = await file.stat({bigint: true});
  if (stat.isBlockDevice()) return {...fileDisk(file), ...(await readBlockDeviceSize(stat.rdev))};
  const sized = (size: SectorSize): GptDisk => ({
    ...fileDisk(file),
    sectorSize: size,
    diskSectors: stat.size / BigInt(size),
  });
  if (sectorSize !== undefined) return sized(sectorSize);
  const large = sized(4096);
  return (await hasGpt(large)) ? large : sized(512);
}

function named(path: string, disk: GptDisk): GptDisk {
  return {
    ...disk,
    readAt: (offset, length) =>
      namingErrors(`read ${path} at byte ${offset}`, () => disk.readAt(offset, length)),
    writeAt: (offset, bytes) =>
      namingErrors(`write to ${path} at byte ${offset}`, () => disk.writeAt(offset, bytes)),
    flush: () => namingErrors(`flush ${path}`, () => disk.flush()),
  };
}

async function hasGpt(disk: GptDisk): Promise<boolean> {
  try {
    await readGpt(disk);
    return true;
  } catch (error) {
    if (error instanceof GptError) return false;
    throw error;
  }
}

/** Size and sector size as the kernel has them: a block device's own stat says 0 bytes. `size` counts 512 bytes. */
async function readBlockDeviceSize(rdev: bigint): Promise<GptDiskSize> {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  const folder = `/sys/dev/block/${major}:${minor}`;
  const [size, block] = await Promise.all([
    readFile(`${folder}/size`, 'utf8'),
    readFile(`${folder}/queue/logical_block_size`, 'utf8'),
  ]);
  const sectorSize = checkSectorSize(Number(block));
  return {sectorSize, diskSectors: (BigInt(size.trim()) * 512n) / BigInt(sectorSize)};
}

function fileDisk(file: FileHandle): Pick<GptDisk, 'readAt' | 'writeAt' | 'flush'> {
  return {
    readAt: readerOf(file),
    async writeAt(offset, bytes) {
      let written = 0;
      while (written < bytes.length) {
        const {bytesWritten} = await file.write(bytes, written, bytes.length - written, offset + written);
        written += bytesWritten;
      }
    },
    async flush() {
      await file.sync();
    },
  };
}

/**
 * A new FAT32 volume as bytes: everything but the content of its files, whose places are known beforehand. So a file
 * may be streamed to its place before the volume exists around it, and a disk gets its file system without a mount and
 * without mkfs.vfat. Each file lies in one piece.
 *
 * Format: FAT32 File System Specification 1.03. Rejected: mkfs.vfat and mtools, which a host that only carries the
 * installer may not have, and whose order of writes is their own.
 */
import {END_OF_CHAIN} from './allocation.ts';
import {FatError} from './boot-sector.ts';
import {ATTRIBUTE, ENTRY_BYTES} from './directory.ts';
import {
  type Attribute,
  type EntryFields,
  type FatMoment,
  labelEntry,
  namedEntry,
  relativeEntry,
  shortEntry,
} from './entry-writing.ts';
import {longNamePieces, shortNameFor} from './long-name.ts';

export interface FatFormatOptions {
  volumeBytes: number;
  sectorBytes: 512 | 4096;
  /** At most 11 characters, upper case. */
  label: string;
  /** 32 bits that tell volumes apart. */
  volumeId: number;
  /** Sectors of the disk before the volume. */
  hiddenSectors: number;
  /** Paths without a leading slash, of letters, digits and `._-~`; folders come by themselves. */
  files: readonly {path: string; bytes: number}[];
  modified: FatMoment;
}

export interface FatRegion {
  /** Bytes from the start of the volume. */
  offset: number;
  bytes: Buffer;
}

export interface FatFormat {
  /** The first sector, without which nothing is a file system: to be written last, and wiped first. */
  bootSector: FatRegion;
  /** All else, in the order of places. Everything besides these and the files may hold anything. */
  metadata: readonly FatRegion[];
  /** Where each file's content goes: `room` bytes, of which those beyond the file's length should be zero. */
  files: ReadonlyMap<string, {offset: number; bytes: number; room: number}>;
}

/** What firmware has seen most: mkfs.vfat takes the same for volumes from 260 MiB to 8 GiB. */
const CLUSTER_BYTES = 4096;
/** Fewer would make it FAT16 in the eyes of every reader. */
const MIN_CLUSTERS = 65_525;
const MIN_RESERVED_SECTORS = 32;
const INFO_SECTOR = 1;
const BACKUP_SECTOR = 6;
const TABLES = 2;
const FIRST_CLUSTER = 2;

/** Throws FatError 'bad-geometry', 'no-room' or 'bad-name'. */
export function formatFat32(options: FatFormatOptions): FatFormat {
  const geometry = geometryOf(options);
  const {tableOffset, tableStride, dataOffset, clusterCount, sectorBytes} = geometry;
  const table = Buffer.alloc(tableStride);
  let nextCluster = FIRST_CLUSTER;
  const place = (bytes: number, what: string): number => {
    const [first, count] = [nextCluster, Math.ceil(bytes / CLUSTER_BYTES)];
    nextCluster += count;
    if (nextCluster > clusterCount + FIRST_CLUSTER)
      throw new FatError('no-room', `${what} does not fit on a volume of ${options.volumeBytes} bytes`);
    for (let cluster = first; cluster < nextCluster; cluster += 1)
      table.writeUInt32LE(cluster + 1 < nextCluster ? cluster + 1 : END_OF_CHAIN | 7, 4 * cluster);
    return first;
  };
  const offsetOf = (cluster: number): number => dataOffset + (cluster - FIRST_CLUSTER) * CLUSTER_BYTES;
  table.writeUInt32LE(0x0fff_fff8, 0);
  // The bits of a volume that was unmounted cleanly and saw no error.
  table.writeUInt32LE(0x0fff_ffff, 4);

  const folders = new Map(foldersOf(options.files).map((path) => [path, place(CLUSTER_BYTES, `/${path}`)]));
  const clusters = new Map(options.files.map(({path, bytes}) => [path, place(bytes, `/${path}`)]));
  const directories = [...folders].map(([path, cluster]) => ({
    offset: offsetOf(cluster),
    bytes: encodeFolder(path, {folders, clusters, options}),
  }));
  const boot = encodeBootSector(options, geometry);
  const info = encodeInfo(sectorBytes, clusterCount - (nextCluster - FIRST_CLUSTER), nextCluster);
  const reserved = Buffer.alloc(tableOffset);
  reserved.set(boot);
  reserved.set(info, INFO_SECTOR * sectorBytes);
  reserved.set(boot, BACKUP_SECTOR * sectorBytes);
  reserved.set(info, (BACKUP_SECTOR + INFO_SECTOR) * sectorBytes);
  return {
    bootSector: {offset: 0, bytes: reserved.subarray(0, sectorBytes)},
    metadata: [
      {offset: sectorBytes, bytes: reserved.subarray(sectorBytes)},
      ...Array.from({length: TABLES}, (_, index) => ({
        offset: tableOffset + index * tableStride,
        bytes: table,
      })),
      ...directories,
    ],
    files: new Map(
      options.files.map(({path, bytes}) => [
        path,
        {
          offset: offsetOf(clusters.get(path) ?? 0),
          bytes,
          room: Math.ceil(bytes / CLUSTER_BYTES) * CLUSTER_BYTES,
        },
      ]),
    ),
  };
}

interface Geometry {
  sectorBytes: number;
  reservedSectors: number;
  tableSectors: number;
  tableOffset: number;
  tableStride: number;
  dataOffset: number;
  clusterCount: number;
}

function geometryOf({volumeBytes, sectorBytes}: FatFormatOptions): Geometry {
  const clusterSectors = CLUSTER_BYTES / sectorBytes;
  const sectors = Math.floor(volumeBytes / sectorBytes);
  // A little more than is needed: the tables themselves take clusters away.
  const tableSectors = Math.ceil(((Math.floor(sectors / clusterSectors) + FIRST_CLUSTER) * 4) / sectorBytes);
  // Clusters begin at multiples of their own size, so that a file may be written in whole blocks of any disk.
  const odd = (MIN_RESERVED_SECTORS + TABLES * tableSectors) % clusterSectors;
  const reservedSectors = MIN_RESERVED_SECTORS + (odd === 0 ? 0 : clusterSectors - odd);
  const dataSector = reservedSectors + TABLES * tableSectors;
  const clusterCount = Math.floor((sectors - dataSector) / clusterSectors);
  if (clusterCount < MIN_CLUSTERS || sectors > 0xffff_ffff)
    throw new FatError('bad-geometry', `a volume of ${volumeBytes} bytes cannot be FAT32`);
  return {
    sectorBytes,
    reservedSectors,
    tableSectors,
    tableOffset: reservedSectors * sectorBytes,
    tableStride: tableSectors * sectorBytes,
    dataOffset: dataSector * sectorBytes,
    clusterCount,
  };
}

/** "Boot Sector and BPB", and what mkfs.vfat writes where the specification leaves it open. */
function encodeBootSector(
  {volumeBytes, label, volumeId, hiddenSectors}: FatFormatOptions,
  {sectorBytes, reservedSectors, tableSectors}: Geometry,
): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  bytes.set([0xeb, 0x58, 0x90]);
  bytes.write('mkfs.fat', 3, 'latin1');
  bytes.writeUInt16LE(sectorBytes, 11);
  bytes.writeUInt8(CLUSTER_BYTES / sectorBytes, 13);
  bytes.writeUInt16LE(reservedSectors, 14);
  bytes.writeUInt8(TABLES, 16);
  bytes.writeUInt8(0xf8, 21);
  // Heads and sectors of a disk that nobody has any more; some firmware divides by them.
  bytes.writeUInt16LE(32, 24);
  bytes.writeUInt16LE(64, 26);
  bytes.writeUInt32LE(hiddenSectors, 28);
  bytes.writeUInt32LE(Math.floor(volumeBytes / sectorBytes), 32);
  bytes.writeUInt32LE(tableSectors, 36);
  bytes.writeUInt32LE(FIRST_CLUSTER, 44);
  bytes.writeUInt16LE(INFO_SECTOR, 48);
  bytes.writeUInt16LE(BACKUP_SECTOR, 50);
  bytes.writeUInt8(0x80, 64);
  bytes.writeUInt8(0x29, 66);
  bytes.writeUInt32LE(volumeId >>> 0, 67);
  bytes.write(label.padEnd(11), 71, 11, 'latin1');
  bytes.write('FAT32   ', 82, 'latin1');
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

/** "FAT32 FSInfo Sector Structure". */
function encodeInfo(sectorBytes: number, freeClusters: number, nextFree: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  bytes.writeUInt32LE(0x4161_5252, 0);
  bytes.writeUInt32LE(0x6141_7272, 484);
  bytes.writeUInt32LE(freeClusters, 488);
  bytes.writeUInt32LE(nextFree, 492);
  bytes.writeUInt32LE(0xaa55_0000, 508);
  return bytes;
}

/** The root, and every folder that a file lies in, each after the one that holds it. */
function foldersOf(files: FatFormatOptions['files']): string[] {
  const found = new Set(['']);
  for (const {path} of files) {
    const names = path.split('/').slice(0, -1);
    names.forEach((_, index) => found.add(names.slice(0, index + 1).join('/')));
  }
  return [...found].sort();
}

function encodeFolder(
  path: string,
  {
    folders,
    clusters,
    options,
  }: {
    folders: ReadonlyMap<string, number>;
    clusters: ReadonlyMap<string, number>;
    options: FatFormatOptions;
  },
): Buffer {
  const {modified, label} = options;
  const isInside = (each: string): boolean => each !== '' && parentOf(each) === path;
  const entries = path === '' ? [labelEntry(label, modified)] : [];
  if (path !== '') {
    // The root is called 0 here ("FAT Directory Structure").
    const parent = parentOf(path) === '' ? 0 : (folders.get(parentOf(path)) ?? 0);
    entries.push(relativeEntry('.', folders.get(path) ?? 0, modified), relativeEntry('..', parent, modified));
  }
  const shortNames = new Set<string>();
  for (const [each, firstCluster] of folders)
    if (isInside(each))
      entries.push(
        ...entriesFor(nameOf(each), ATTRIBUTE.directory, {firstCluster, bytes: 0, modified}, shortNames),
      );
  for (const {path: each, bytes} of options.files) {
    const firstCluster = bytes === 0 ? 0 : (clusters.get(each) ?? 0);
    if (isInside(each))
      entries.push(
        ...entriesFor(nameOf(each), ATTRIBUTE.archive, {firstCluster, bytes, modified}, shortNames),
      );
  }
  if (entries.length * ENTRY_BYTES > CLUSTER_BYTES)
    throw new FatError('no-room', `/${path} has ${entries.length} entries, more than fit into one cluster`);
  return Buffer.concat([...entries, Buffer.alloc(CLUSTER_BYTES - entries.length * ENTRY_BYTES)]);
}

/** The entry of a name, behind the pieces of the long one if it needs that. `taken` are short names that were made up. */
function entriesFor(
  name: string,
  attribute: Attribute,
  fields: EntryFields,
  taken: Set<string>,
): readonly Buffer[] {
  const entry = shortEntry(name, attribute, fields);
  if (entry !== null) return [entry];
  // It has a `~`, which no name does that is short by itself.
  const shortName = shortNameFor(name, taken);
  taken.add(shortName);
  return [...longNamePieces(name, shortName), namedEntry(shortName, attribute, fields)];
}

function parentOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

function nameOf(path: string): string {
  return path.split('/').at(-1) ?? '';
}

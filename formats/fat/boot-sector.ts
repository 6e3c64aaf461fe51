/**
 * The first sector of a FAT32 volume: where its allocation tables and clusters lie.
 *
 * Format: Microsoft's FAT32 File System Specification 1.03, "Boot Sector and BPB". FAT12 and FAT16 are refused: an ESP
 * on a disk is FAT32 (UEFI 2.10 section 13.3), and ours always is.
 */
import {CodedError} from '../errors.ts';

export type FatErrorCode =
  | 'not-fat32'
  | 'unsupported'
  | 'bad-geometry'
  | 'bad-table'
  | 'bad-chain'
  | 'bad-directory'
  | 'no-such-file'
  | 'truncated'
  /** Nothing may be written here before a person has looked at it. */
  | 'damaged'
  | 'no-room'
  | 'bad-name';
export class FatError extends CodedError<FatErrorCode> {}

/** All places are bytes from the start of the volume. */
export interface FatGeometry {
  sectorBytes: number;
  clusterBytes: number;
  tableOffset: number;
  /** Of one allocation table, as far as it has entries that mean a cluster. */
  tableBytes: number;
  /** From one allocation table to the next. */
  tableStride: number;
  tableCount: number;
  /** Where cluster 2 begins, the first there is. */
  dataOffset: number;
  /** Clusters 2 to `clusterCount + 1` exist. */
  clusterCount: number;
  rootCluster: number;
  volumeBytes: number;
  /** The sector that counts free clusters; a hint, and not every volume has one. */
  infoOffset: number | undefined;
  /** Linux sets it while a volume is mounted for writing. */
  isMarkedDirty: boolean;
}

export const FIRST_CLUSTER = 2;
/** Clusters of one volume; 32 GiB in clusters of 4 KiB, so that a table is read whole into 32 MiB. */
const MAX_CLUSTERS = 2 ** 23;
const MAX_CLUSTER_BYTES = 64 * 1024;
const BOOT_SECTOR_BYTES = 512;
const AT = {
  sectorBytes: 11,
  clusterSectors: 13,
  reservedSectors: 14,
  tableCount: 16,
  rootEntries: 17,
  sectors16: 19,
  tableSectors16: 22,
  sectors32: 32,
  tableSectors32: 36,
  flags: 40,
  version: 42,
  rootCluster: 44,
  infoSector: 48,
  state: 65,
  signature: 510,
} as const;

/** Reads the first 512 bytes of a volume. Throws FatError. */
export function decodeFatBootSector(sector: Uint8Array): FatGeometry {
  const bytes = Buffer.from(sector.buffer, sector.byteOffset, sector.length);
  if (bytes.length < BOOT_SECTOR_BYTES || bytes.readUInt16LE(AT.signature) !== 0xaa55)
    throw new FatError('not-fat32', 'there is no FAT32 file system: the boot sector has no signature');
  const sectorBytes = bytes.readUInt16LE(AT.sectorBytes);
  const clusterSectors = bytes.readUInt8(AT.clusterSectors);
  const clusterBytes = sectorBytes * clusterSectors;
  if (![512, 1024, 2048, 4096].includes(sectorBytes) || !isPowerOfTwo(clusterSectors))
    throw badGeometry(`sectors of ${sectorBytes} bytes, ${clusterSectors} to a cluster`);
  if (clusterBytes > MAX_CLUSTER_BYTES) throw badGeometry(`clusters of ${clusterBytes} bytes`);
  // What FAT12 and FAT16 have here, FAT32 must not have.
  for (const field of ['rootEntries', 'sectors16', 'tableSectors16'] as const) {
    if (bytes.readUInt16LE(AT[field]) !== 0)
      throw new FatError('not-fat32', 'the file system is FAT12 or FAT16, not FAT32');
  }
  if (bytes.readUInt16LE(AT.version) !== 0) throw new FatError('unsupported', 'a FAT32 version other than 0');
  if ((bytes.readUInt16LE(AT.flags) & 0x80) !== 0)
    throw new FatError('unsupported', 'allocation tables that are not mirrored');

  const reservedSectors = bytes.readUInt16LE(AT.reservedSectors);
  const tableCount = bytes.readUInt8(AT.tableCount);
  const tableSectors = bytes.readUInt32LE(AT.tableSectors32);
  const sectors = bytes.readUInt32LE(AT.sectors32);
  const dataSector = reservedSectors + tableCount * tableSectors;
  const clusterCount = Math.floor((sectors - dataSector) / clusterSectors);
  if (reservedSectors < 1 || tableCount < 1 || tableCount > 2 || clusterCount < 1)
    throw badGeometry(`${reservedSectors} reserved sectors, ${tableCount} tables, ${sectors} sectors in all`);
  if (clusterCount > MAX_CLUSTERS)
    throw new FatError('unsupported', `${clusterCount} clusters, at most ${MAX_CLUSTERS} are read`);
  const tableBytes = (clusterCount + FIRST_CLUSTER) * 4;
  if (tableSectors * sectorBytes < tableBytes)
    throw badGeometry(`tables of ${tableSectors} sectors for ${clusterCount} clusters`);
  const rootCluster = bytes.readUInt32LE(AT.rootCluster);
  const infoSector = bytes.readUInt16LE(AT.infoSector);
  const hasInfo = infoSector > 0 && infoSector < reservedSectors;
  return {
    sectorBytes,
    clusterBytes,
    tableOffset: reservedSectors * sectorBytes,
    tableBytes,
    tableStride: tableSectors * sectorBytes,
    tableCount,
    dataOffset: dataSector * sectorBytes,
    clusterCount,
    rootCluster,
    volumeBytes: sectors * sectorBytes,
    infoOffset: hasInfo ? infoSector * sectorBytes : undefined,
    isMarkedDirty: (bytes.readUInt8(AT.state) & 1) !== 0,
  };
}

function badGeometry(what: string): FatError {
  return new FatError('bad-geometry', `the boot sector of the FAT32 file system makes no sense: ${what}`);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

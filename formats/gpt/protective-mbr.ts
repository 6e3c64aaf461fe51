/** The protective MBR, UEFI 2.10 section 5.2.3: it keeps tools that know no GPT from taking the disk as empty. */
import type {SectorSize} from './types.ts';

const PARTITION_RECORD = 446;
const GPT_PROTECTIVE = 0xee;
/** The cylinder address for "beyond what it can say", which holds for every disk above 8 GiB; tools write no other. */
const CHS_UNREPRESENTABLE = [0xff, 0xff, 0xff] as const;
const MAX_SECTORS = 0xffff_ffffn;

/** Sector 0: one record of type 0xEE from sector 1 to the end, or as far as 32 bits reach. */
export function encodeProtectiveMbr(diskSectors: bigint, sectorSize: SectorSize): Uint8Array {
  const bytes = Buffer.alloc(sectorSize);
  bytes.set([0x00, 0x00, 0x02, 0x00, GPT_PROTECTIVE, ...CHS_UNREPRESENTABLE], PARTITION_RECORD);
  bytes.writeUInt32LE(1, PARTITION_RECORD + 8);
  const covered = diskSectors - 1n;
  bytes.writeUInt32LE(Number(covered < MAX_SECTORS ? covered : MAX_SECTORS), PARTITION_RECORD + 12);
  // The signature is at 510 on disks with larger sectors, too.
  bytes.set([0x55, 0xaa], 510);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

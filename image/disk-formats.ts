/**
 * The disk image in the forms that other hypervisors want, made by qemu-img, and the same bytes every time: what
 * qemu-img takes from chance and clock is set afterwards to what the release says.
 */
import {createHash} from 'node:crypto';
import {CodedError} from '../formats/errors.ts';
import type {Argv} from '../platform/exec.ts';
import {withFile} from '../platform/files.ts';
import {writeAll} from '../platform/new-file.ts';

export class DiskFormatError extends CodedError<'unexpected'> {}

export const DISK_FORMATS = ['raw', 'qcow2', 'vmdk', 'vhd'] as const;
export type DiskFormat = (typeof DISK_FORMATS)[number];

/** By format: what qemu-img calls it, and how it is to be made. Raw is a copy. */
const RECIPES: Readonly<Record<Exclude<DiskFormat, 'raw'>, {driver: string; options: string}>> = {
  qcow2: {driver: 'qcow2', options: 'compat=1.1'},
  // What OVA files hold and every product of VMware imports.
  vmdk: {driver: 'vmdk', options: 'subformat=streamOptimized,adapter_type=lsilogic'},
  // Azure takes no other; force_size keeps the size exact instead of rounding it to cylinders.
  vhd: {driver: 'vpc', options: 'subformat=fixed,force_size=on'},
};

export function convertCommand(format: Exclude<DiskFormat, 'raw'>, from: string, to: string): Argv {
  const {driver, options} = RECIPES[format];
  // One piece after the other: with several under way, chance decides in which order they lie in the file.
  return ['qemu-img', 'convert', '-m', '1', '-f', 'raw', '-O', driver, '-o', options, from, to];
}

/** Takes chance and clock out of what qemu-img wrote. `seed` names the content. Throws DiskFormatError. */
export async function settleImage(
  format: DiskFormat,
  path: string,
  {seed, sourceDate}: {seed: string; sourceDate: number},
): Promise<void> {
  const digest = createHash('sha256').update(`${seed} ${format}`).digest();
  if (format === 'vmdk') await settleVmdk(path, digest);
  if (format === 'vhd') await settleVhd(path, digest, sourceDate);
}

const SECTOR = 512;
/** Virtual Disk Format 5.0, "Hosted Sparse Extents": where the header says that the descriptor lies, and how long. */
const VMDK_AT = {magic: 0, descriptorSector: 28, descriptorSectors: 36} as const;
const VMDK_MAGIC = 'KDMV';
const MAX_DESCRIPTOR_SECTORS = 1024;
/** Nobody looks: the extent is in the same file. */
const VMDK_NAME = 'disk.vmdk';

async function settleVmdk(path: string, digest: Buffer): Promise<void> {
  await withFile(path, 'r+', async (file) => {
    const header = Buffer.alloc(SECTOR);
    await file.read(header, 0, SECTOR, 0);
    const [sector, sectors] = [
      Number(header.readBigUInt64LE(VMDK_AT.descriptorSector)),
      Number(header.readBigUInt64LE(VMDK_AT.descriptorSectors)),
    ];
    if (header.toString('latin1', 0, 4) !== VMDK_MAGIC || sectors < 1 || sectors > MAX_DESCRIPTOR_SECTORS)
      throw new DiskFormatError('unexpected', `${path} is no VMDK with a descriptor inside`);
    const bytes = Buffer.alloc(sectors * SECTOR);
    await file.read(bytes, 0, bytes.length, sector * SECTOR);
    await writeAll(file, settledDescriptor(bytes, digest, path), sector * SECTOR);
  });
}

/** The identifier of the content is a random number there, and the file's own name that of a moment. Pure. */
export function settledDescriptor(descriptor: Buffer, digest: Uint8Array, path: string): Buffer {
  const end = descriptor.indexOf(0);
  const text = descriptor.toString('latin1', 0, end < 0 ? descriptor.length : end);
  // 0xffffffff would mean that there is none.
  const id = (Buffer.from(digest).readUInt32BE(0) & 0x7fff_ffff).toString(16).padStart(8, '0');
  const settled = text
    .replace(/^CID=[0-9a-f]{1,8}$/m, `CID=${id}`)
    .replace(/^(RW \d+ SPARSE) "[^"]*"$/m, `$1 "${VMDK_NAME}"`);
  if (!settled.includes(`\nCID=${id}\n`))
    throw new DiskFormatError('unexpected', `${path} has no CID in its descriptor`);
  const bytes = Buffer.alloc(descriptor.length);
  if (settled.length > bytes.length)
    throw new DiskFormatError('unexpected', `the descriptor of ${path} has no room`);
  bytes.write(settled, 'latin1');
  return bytes;
}

async function settleVhd(path: string, digest: Buffer, sourceDate: number): Promise<void> {
  await withFile(path, 'r+', async (file) => {
    const {size} = await file.stat();
    const footer = Buffer.alloc(SECTOR);
    await file.read(footer, 0, SECTOR, size - SECTOR);
    await writeAll(file, settledFooter(footer, digest, sourceDate, path), size - SECTOR);
  });
}

/** Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format". Numbers are big endian. */
const VHD_AT = {cookie: 0, timestamp: 24, checksum: 64, uuid: 68} as const;
const VHD_COOKIE = 'conectix';
/** Seconds from 1970 to 2000, where its time begins. */
const VHD_EPOCH = 946_684_800;

/** The footer with time and identifier of the release, and the checksum over that. Pure; `path` is for messages. */
export function settledFooter(
  footer: Uint8Array,
  digest: Uint8Array,
  sourceDate: number,
  path: string,
): Buffer {
  const bytes = Buffer.from(footer);
  if (bytes.length !== SECTOR || bytes.toString('latin1', VHD_AT.cookie, 8) !== VHD_COOKIE)
    throw new DiskFormatError('unexpected', `${path} does not end with the footer of a VHD`);
  bytes.writeUInt32BE(Math.max(0, sourceDate - VHD_EPOCH), VHD_AT.timestamp);
  bytes.set(digest.subarray(0, 16), VHD_AT.uuid);
  bytes.writeUInt32BE(0, VHD_AT.checksum);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.writeUInt32BE(~sum >>> 0, VHD_AT.checksum);
  return bytes;
}

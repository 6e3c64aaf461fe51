/**
 * The superblock of erofs, as far as it tells where the file system ends and when it was made: behind that end lies
 * the verity tree of /usr.
 *
 * Format: fs/erofs/erofs_fs.h of the kernel, struct erofs_super_block. Numbers are little-endian.
 */
import {CodedError} from './errors.ts';
import {type Guid, guidFromHex} from './guid.ts';

export class ErofsError extends CodedError<'not-erofs' | 'unsupported'> {}

export interface ErofsSuperblock {
  uuid: Guid;
  /** Of the file system. */
  bytes: number;
  inodes: number;
  /** Seconds since 1970. */
  madeAt: number;
}

/** Where the superblock lies. */
export const EROFS_OFFSET = 1024;
export const EROFS_SUPERBLOCK_BYTES = 128;

const MAGIC = 0xe0f5_e1e2;
const AT = {magic: 0, blockBits: 12, inodes: 16, buildTime: 24, blocks: 36, uuid: 48} as const;

/** Reads EROFS_SUPERBLOCK_BYTES from EROFS_OFFSET. Throws ErofsError. */
export function decodeErofsSuperblock(superblock: Uint8Array): ErofsSuperblock {
  const bytes = Buffer.from(superblock.buffer, superblock.byteOffset, superblock.length);
  if (bytes.length < EROFS_SUPERBLOCK_BYTES || bytes.readUInt32LE(AT.magic) !== MAGIC)
    throw new ErofsError('not-erofs', 'there is no erofs file system');
  const blockBits = bytes.readUInt8(AT.blockBits);
  if (blockBits < 9 || blockBits > 16)
    throw new ErofsError('unsupported', `blocks of 2^${blockBits} bytes, expected 2^9 to 2^16`);
  return {
    uuid: guidFromHex(bytes.subarray(AT.uuid, AT.uuid + 16).toString('hex')),
    bytes: bytes.readUInt32LE(AT.blocks) * 2 ** blockBits,
    inodes: Number(bytes.readBigUInt64LE(AT.inodes)),
    madeAt: Number(bytes.readBigUInt64LE(AT.buildTime)),
  };
}

/**
 * The verity superblock: 512 bytes that tell veritysetup and systemd how the tree behind it was made.
 *
 * The kernel never reads it, so a wrong one shows only when /usr is opened; hence the strict decoder, which the build
 * and the update engine run on what they have written.
 *
 * Format: the on-disk specification of cryptsetup's verity, superblock version 1. All numbers are little-endian.
 */
import {GUID_BYTES, guidFromHex, parseGuid, type Guid} from './guid.ts';
import {
  checkDataBlocks,
  checkSalt,
  MAX_SALT_BYTES,
  VERITY_BLOCK_BYTES,
  VerityError,
} from './verity-layout.ts';

export interface VeritySuperblock {
  uuid: Guid;
  salt: Uint8Array;
  /** Blocks of 4096 bytes that the tree covers. */
  dataBlocks: number;
}

export const VERITY_SUPERBLOCK_BYTES = 512;

const SIGNATURE = Buffer.from('verity\0\0');
const ALGORITHM = Buffer.from('sha256'.padEnd(32, '\0'));
const VERSION = 1;
/** The salt goes before the data; type 0 is that of Chromium OS. */
const HASH_TYPE = 1;
const AT = {
  signature: 0,
  version: 8,
  hashType: 12,
  uuid: 16,
  algorithm: 32,
  dataBlockBytes: 64,
  hashBlockBytes: 68,
  dataBlocks: 72,
  saltBytes: 80,
  salt: 88,
} as const;

/** One whole block of 4096 bytes with the superblock at its start. Throws VerityError or GuidError. */
export function encodeVeritySuperblock({uuid, salt, dataBlocks}: VeritySuperblock): Buffer {
  checkSalt(salt);
  checkDataBlocks(dataBlocks);
  const block = Buffer.alloc(VERITY_BLOCK_BYTES);
  SIGNATURE.copy(block, AT.signature);
  block.writeUInt32LE(VERSION, AT.version);
  block.writeUInt32LE(HASH_TYPE, AT.hashType);
  // In the order of the text, unlike the GUIDs of a partition table.
  block.write(parseGuid(uuid).replaceAll('-', ''), AT.uuid, 'hex');
  ALGORITHM.copy(block, AT.algorithm);
  block.writeUInt32LE(VERITY_BLOCK_BYTES, AT.dataBlockBytes);
  block.writeUInt32LE(VERITY_BLOCK_BYTES, AT.hashBlockBytes);
  block.writeBigUInt64LE(BigInt(dataBlocks), AT.dataBlocks);
  block.writeUInt16LE(salt.length, AT.saltBytes);
  block.set(salt, AT.salt);
  return block;
}

/** Reads the first 512 bytes. Throws VerityError for anything that encodeVeritySuperblock would not write. */
export function decodeVeritySuperblock(bytes: Uint8Array): VeritySuperblock {
  if (bytes.length < VERITY_SUPERBLOCK_BYTES) {
    throw new VerityError('bad-superblock', `${bytes.length} bytes, expected ${VERITY_SUPERBLOCK_BYTES}`);
  }
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, VERITY_SUPERBLOCK_BYTES);
  const signature = block.subarray(AT.signature, AT.version);
  if (!signature.equals(SIGNATURE)) {
    throw new VerityError('bad-superblock', `signature is ${JSON.stringify(signature.toString('latin1'))}`);
  }
  expect('version', block.readUInt32LE(AT.version), VERSION);
  expect('hash type', block.readUInt32LE(AT.hashType), HASH_TYPE);
  expect('data block size', block.readUInt32LE(AT.dataBlockBytes), VERITY_BLOCK_BYTES);
  expect('hash block size', block.readUInt32LE(AT.hashBlockBytes), VERITY_BLOCK_BYTES);
  const algorithm = block.subarray(AT.algorithm, AT.dataBlockBytes);
  if (!algorithm.equals(ALGORITHM)) {
    throw new VerityError('unsupported', `algorithm is ${JSON.stringify(algorithm.toString('latin1'))}`);
  }
  const saltBytes = block.readUInt16LE(AT.saltBytes);
  if (saltBytes > MAX_SALT_BYTES) throw new VerityError('bad-superblock', `salt of ${saltBytes} bytes`);
  const isPadded = [block.subarray(AT.saltBytes + 2, AT.salt), block.subarray(AT.salt + saltBytes)].every(
    (padding) => padding.every((byte) => byte === 0),
  );
  if (!isPadded) throw new VerityError('bad-superblock', 'bytes between the fields are not zero');
  const dataBlocks = Number(block.readBigUInt64LE(AT.dataBlocks));
  checkDataBlocks(dataBlocks);
  return {
    uuid: guidFromHex(block.subarray(AT.uuid, AT.uuid + GUID_BYTES).toString('hex')),
    salt: Uint8Array.from(block.subarray(AT.salt, AT.salt + saltBytes)),
    dataBlocks,
  };
}

function expect(field: string, got: number, expected: number): void {
  if (got !== expected) throw new VerityError('unsupported', `${field} is ${got}, expected ${expected}`);
}

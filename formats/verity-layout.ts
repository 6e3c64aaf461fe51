/**
 * The measures of dm-verity as Caisson uses it, and where everything lies: data, superblock, tree.
 *
 * One choice of each: hash type 1 (salt before data), SHA-256, blocks of 4096 bytes on both sides.
 */
import {CodedError} from './errors.ts';

export type VerityErrorCode = 'bad-superblock' | 'unsupported' | 'out-of-range' | 'bad-hash' | 'finished';
export class VerityError extends CodedError<VerityErrorCode> {}

export const VERITY_BLOCK_BYTES = 4096;
export const MAX_SALT_BYTES = 256;
export const DIGEST_BYTES = 32;
const DIGESTS_PER_BLOCK = VERITY_BLOCK_BYTES / DIGEST_BYTES;
/** 64 TiB of data: far above any /usr, and every offset stays an exact number. */
const MAX_DATA_BLOCKS = 2 ** 34;

/** Offsets in bytes from the start of the partition: data, then one block with the superblock, then the tree. */
export interface VerityLayout {
  dataBytes: number;
  /** What veritysetup and systemd call the hash offset. */
  superblockOffset: number;
  treeOffset: number;
  treeBytes: number;
  totalBytes: number;
  /** Top level first, as on disk. A single data block has no tree: its digest is the root hash. */
  levels: {offset: number; blocks: number}[];
}

/** Throws VerityError 'out-of-range' unless `dataBlocks` is a whole number from 1 to 2^34. */
export function verityLayout(dataBlocks: number): VerityLayout {
  checkDataBlocks(dataBlocks);
  const counts: number[] = [];
  for (let blocks = dataBlocks; blocks > 1;) {
    blocks = Math.ceil(blocks / DIGESTS_PER_BLOCK);
    counts.unshift(blocks);
  }
  const dataBytes = dataBlocks * VERITY_BLOCK_BYTES;
  const treeOffset = dataBytes + VERITY_BLOCK_BYTES;
  let end = treeOffset;
  const levels = counts.map((blocks) => {
    const offset = end;
    end += blocks * VERITY_BLOCK_BYTES;
    return {offset, blocks};
  });
  return {
    dataBytes,
    superblockOffset: dataBytes,
    treeOffset,
    treeBytes: end - treeOffset,
    totalBytes: end,
    levels,
  };
}

/** Throws VerityError 'out-of-range'. */
export function checkDataBlocks(dataBlocks: number): void {
  if (!Number.isInteger(dataBlocks) || dataBlocks < 1 || dataBlocks > MAX_DATA_BLOCKS) {
    throw new VerityError('out-of-range', `${dataBlocks} data blocks, expected 1 to ${MAX_DATA_BLOCKS}`);
  }
}

/** Throws VerityError 'out-of-range'. */
export function checkSalt(salt: Uint8Array): void {
  if (salt.length > MAX_SALT_BYTES) {
    throw new VerityError('out-of-range', `salt of ${salt.length} bytes, at most ${MAX_SALT_BYTES}`);
  }
}

/**
 * dm-verity: the hash tree of /usr, and what its root hash names. This file is the face of its neighbours
 * verity-layout.ts and verity-superblock.ts.
 *
 * Rejected: running `veritysetup format`, which gives the same bytes but wants the whole image on disk first. Worker
 * threads do not pay: one core with SHA instructions hashes more than a gigabyte a second.
 *
 * Format: the on-disk specification of cryptsetup's verity, and admin-guide/device-mapper/verity.rst of the kernel.
 */
import {hash} from 'node:crypto';
import {guidFromHex, type Guid} from './guid.ts';
import {checkSalt, DIGEST_BYTES, VERITY_BLOCK_BYTES, VerityError, verityLayout} from './verity-layout.ts';

export {
  VERITY_BLOCK_BYTES,
  VerityError,
  verityLayout,
  type VerityErrorCode,
  type VerityLayout,
} from './verity-layout.ts';
export {decodeVeritySuperblock, encodeVeritySuperblock, type VeritySuperblock} from './verity-superblock.ts';

/** Leaf digests are gathered in pieces of this size, so that nothing is moved while the image grows. */
const PIECE_BYTES = 1024 * 1024;

/** Takes the data in order and gives the tree. It keeps one 128th of the data in memory. */
export class VerityTree {
  readonly #hasher: BlockHasher;
  #pieces: Buffer[] = [];
  #used = PIECE_BYTES;
  #dataBlocks = 0;
  #isFinished = false;

  constructor({salt}: {salt: Uint8Array}) {
    this.#hasher = new BlockHasher(salt);
  }

  get dataBlocks(): number {
    return this.#dataBlocks;
  }

  /** The next bytes of the data, whole blocks. Throws VerityError 'out-of-range' for a part of a block. */
  update(chunk: Uint8Array): void {
    if (this.#isFinished) throw new VerityError('finished', 'data came after the tree was finished');
    if (chunk.length % VERITY_BLOCK_BYTES !== 0) {
      throw new VerityError('out-of-range', `${chunk.length} bytes are not blocks of ${VERITY_BLOCK_BYTES}`);
    }
    for (let offset = 0; offset < chunk.length; offset += VERITY_BLOCK_BYTES) {
      if (this.#used === PIECE_BYTES) {
        this.#pieces.push(Buffer.alloc(PIECE_BYTES));
        this.#used = 0;
      }
      const piece = this.#pieces.at(-1);
      if (piece !== undefined) this.#hasher.hashBlock(chunk, offset, piece, this.#used);
      this.#used += DIGEST_BYTES;
      this.#dataBlocks += 1;
    }
  }

  /** The tree in the order of the disk, and its root hash. Once only. Throws VerityError when there was no data. */
  finish(): {rootHash: Buffer; tree: Buffer} {
    if (this.#isFinished) throw new VerityError('finished', 'the tree was finished before');
    this.#isFinished = true;
    const {levels, treeOffset, treeBytes} = verityLayout(this.#dataBlocks);
    const tree = Buffer.alloc(treeBytes);
    const [top, ...lower] = levels.map(({offset, blocks}) => {
      const start = offset - treeOffset;
      return tree.subarray(start, start + blocks * VERITY_BLOCK_BYTES);
    });
    const pieces = this.#pieces;
    this.#pieces = [];
    const rootHash = Buffer.alloc(DIGEST_BYTES);
    if (top === undefined) {
      pieces[0]?.copy(rootHash, 0, 0, DIGEST_BYTES);
      return {rootHash, tree};
    }
    const leaves = lower.at(-1) ?? top;
    pieces.forEach((piece, index) => piece.copy(leaves, index * PIECE_BYTES));
    let below = leaves;
    for (const level of [top, ...lower].slice(0, -1).reverse()) {
      for (let block = 0; block * VERITY_BLOCK_BYTES < below.length; block += 1) {
        this.#hasher.hashBlock(below, block * VERITY_BLOCK_BYTES, level, block * DIGEST_BYTES);
      }
      below = level;
    }
    this.#hasher.hashBlock(top, 0, rootHash, 0);
    return {rootHash, tree};
  }
}

/** SHA-256 over salt and block, with the salt kept in place: one call into OpenSSL for each block. */
class BlockHasher {
  readonly #scratch: Buffer;
  readonly #saltBytes: number;

  constructor(salt: Uint8Array) {
    checkSalt(salt);
    this.#scratch = Buffer.alloc(salt.length + VERITY_BLOCK_BYTES);
    this.#scratch.set(salt);
    this.#saltBytes = salt.length;
  }

  hashBlock(source: Uint8Array, offset: number, target: Buffer, at: number): void {
    this.#scratch.set(source.subarray(offset, offset + VERITY_BLOCK_BYTES), this.#saltBytes);
    // A text of one byte a character is the quickest way out of one-shot hashing; a Buffer costs a quarter more.
    target.write(hash('sha256', this.#scratch, 'binary'), at, 'latin1');
  }
}

/**
 * The unique GUID of a data partition: the first 128 bits of the root hash (64 hex digits), read as the digits of the
 * GUID's text, as the Discoverable Partitions Specification and systemd's generators have it. Throws VerityError.
 */
export function guidFromRootHash(rootHash: string): Guid {
  return guidFromHex(checkRootHash(rootHash).slice(0, 32));
}

/** The unique GUID that a separate verity partition would have: the last 128 bits of the root hash. */
export function verityGuidFromRootHash(rootHash: string): Guid {
  return guidFromHex(checkRootHash(rootHash).slice(32));
}

function checkRootHash(rootHash: string): string {
  if (!/^[\da-f]{64}$/.test(rootHash)) {
    throw new VerityError(
      'bad-hash',
      `root hash ${JSON.stringify(rootHash.slice(0, 100))} is not 64 hex digits`,
    );
  }
  return rootHash;
}

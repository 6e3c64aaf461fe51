/** How a partition is cut into operations, decided from where its zeros are. Pure. */
import {BLOCK_BYTES, type Extent} from '../formats/payload/types.ts';
import {MIB} from '../formats/units.ts';

/**
 * What is compressed at once. Measured on /usr of a release: 4 MiB make the payload 1.7 % smaller, 8 MiB 2.7 %; but each
 * chunk is in memory here as often as there are jobs, and on the host while it is checked.
 */
export const CHUNK_BYTES = 2 * MIB;
const CHUNK_BLOCKS = CHUNK_BYTES / BLOCK_BYTES;
/** 64 KiB. Shorter runs of zeros cost less inside a compressed chunk than as an operation of their own. */
export const MIN_ZERO_BLOCKS = 16;

export type Chunk = {kind: 'zero'; extents: readonly Extent[]} | {kind: 'data'; extents: readonly Extent[]};

/** Runs of zero blocks, as the blocks come by in order. */
export class ZeroRuns {
  readonly #runs: Extent[] = [];
  #start = 0;
  #blocks = 0;

  /** The next blocks, whole ones. */
  update(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      if (bytes.compare(ZERO_BLOCK, 0, BLOCK_BYTES, at, at + BLOCK_BYTES) === 0) this.#blocks += 1;
      else this.#close(1);
    }
  }

  /** Those that are long enough to be operations. */
  finish(): readonly Extent[] {
    this.#close(0);
    return this.#runs;
  }

  #close(others: number): void {
    if (this.#blocks >= MIN_ZERO_BLOCKS) this.#runs.push({startBlock: this.#start, blocks: this.#blocks});
    this.#start += this.#blocks + others;
    this.#blocks = 0;
  }
}

const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

/**
 * Cuts all blocks but those of `left` (the verity tree). Data on both sides of a run of zeros shares a chunk, so that
 * chunks stay full; `zeros` are in order and do not touch `left`.
 */
export function planChunks(blocks: number, zeros: readonly Extent[], left: Extent | null): Chunk[] {
  const chunks: Chunk[] = [];
  let open: Extent[] = [];
  let room = CHUNK_BLOCKS;
  const flush = (): void => {
    if (open.length > 0) chunks.push({kind: 'data', extents: open});
    [open, room] = [[], CHUNK_BLOCKS];
  };
  const addData = (start: number, end: number): void => {
    for (let at = start; at < end;) {
      const taken = Math.min(room, end - at);
      open.push({startBlock: at, blocks: taken});
      [at, room] = [at + taken, room - taken];
      if (room === 0) flush();
    }
  };
  const gaps = [...zeros, ...(left === null ? [] : [left])].sort((a, b) => a.startBlock - b.startBlock);
  let next = 0;
  for (const gap of gaps) {
    addData(next, gap.startBlock);
    if (gap !== left) chunks.push({kind: 'zero', extents: [gap]});
    next = gap.startBlock + gap.blocks;
  }
  addData(next, blocks);
  flush();
  return chunks;
}

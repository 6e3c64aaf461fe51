/** Chance that comes out the same each time: mulberry32, seeded by a word. Not for secrets. */
import {createHash} from 'node:crypto';

/** Numbers from 0 (inclusive) to 1 (exclusive). */
export function createChance(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE();
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Chance that can be repeated: the same seed gives the same run. Not for secrets. */
export interface Random {
  /** A whole number from 0 to below `limit`, which is at most 2^32. */
  below(limit: number): number;
}

/** The generator "mulberry32": 32 bits of state, enough to spread mutations. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (state + 0x6d2b_79f5) >>> 0;
      let bits = Math.imul(state ^ (state >>> 15), state | 1);
      bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
      return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * limit);
    },
  };
}

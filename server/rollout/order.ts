/**
 * The order of machines: each has a place from 0 to 1 that follows from the seed and its id, and from nothing else. So
 * it is the same after a restart, the same for the next release, and a machine that joins moves nobody.
 */
import {createHash} from 'node:crypto';

const PLACE_BYTES = 6;

/** 0 (inclusive) to 1 (exclusive), evenly spread. */
export function placeOf(seed: string, machineId: string): number {
  // With a length, so that no seed and id run into another seed and id.
  const hash = createHash('sha256').update(`${seed.length}:${seed}:${machineId}`).digest();
  return hash.readUIntBE(0, PLACE_BYTES) / 2 ** (8 * PLACE_BYTES);
}

export interface SortedKeys {
  readonly size: number;
  add(key: number): void;
  /** One of that value; one that is not there is passed over. */
  remove(key: number): void;
  /** How many are smaller. */
  rank(key: number): number;
}

/**
 * Numbers in order. A sorted array: moving 100,000 of them aside takes microseconds, and a tree would need many times
 * the memory and code.
 */
export function createSortedKeys(): SortedKeys {
  const keys: number[] = [];
  function rank(key: number): number {
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] ?? Infinity) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  return {
    get size() {
      return keys.length;
    },
    add(key) {
      keys.splice(rank(key), 0, key);
    },
    remove(key) {
      const at = rank(key);
      if (keys[at] === key) keys.splice(at, 1);
    },
    rank,
  };
}

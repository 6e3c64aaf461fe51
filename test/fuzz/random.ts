/** Chance that can be repeated: the same seed gives the same run. Not for secrets. */
import {createChance} from '../../cli/rehearse/chance.ts';

export interface Random {
  /** A whole number from 0 to below `limit`, which is at most 2^32. */
  below(limit: number): number;
}

export function seededRandom(seed: number): Random {
  const chance = createChance(String(seed));
  return {below: (limit) => Math.floor(chance() * limit)};
}

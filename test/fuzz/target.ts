/** A parser under fuzz, and the loop that feeds it. */
import {type Random, seededRandom} from './random.ts';

export interface FuzzTarget {
  name: string;
  /** What it tries, in a line. */
  what: string;
  /** Makes the input that mutations start from; then each call does one mutation. */
  prepare(): Promise<FuzzStep>;
}

/** One mutation. Throws when something was accepted, or broke in a way that no caller expects. */
export type FuzzStep = (random: Random) => Promise<void> | void;

export interface FuzzResult {
  mutations: number;
  /** Of processor time, as all times here: a busy machine must not make a parser look slow. */
  seconds: number;
  slowestMs: number;
}

export interface FuzzOptions {
  seed: number;
  /** Number of the first mutation. */
  from?: number;
  count: number;
  onProgress?: (index: number) => void;
}

/** Far above what any input of some kilobytes takes. */
const MAX_STEP_MS = 2000;

/** Throws with seed and number of the first mutation that fails or is slow, so that it can be repeated. */
export async function runFuzz(
  target: FuzzTarget,
  {seed, from = 0, count, onProgress}: FuzzOptions,
): Promise<FuzzResult> {
  const step = await target.prepare();
  const startedAt = processorMs();
  let slowestMs = 0;
  for (let index = from; index < from + count; index += 1) {
    const before = processorMs();
    const again = `${target.name}: mutation ${index} of seed ${seed} (to repeat: npm run fuzz -- ${target.name} --seed ${seed} --from ${index} --count 1)`;
    try {
      // Each mutation has its own chance, so that one can be repeated without those before it.
      await step(seededRandom(seed + index * 7919));
    } catch (error) {
      throw new Error(`${again}: ${(error as Error).message}`, {cause: error});
    }
    const took = processorMs() - before;
    if (took > MAX_STEP_MS) throw new Error(`${again}: took ${Math.round(took)} ms`);
    slowestMs = Math.max(slowestMs, took);
    if (index % 1000 === 0) onProgress?.(index);
  }
  return {mutations: count, seconds: (processorMs() - startedAt) / 1000, slowestMs};
}

function processorMs(): number {
  const {user, system} = process.cpuUsage();
  return (user + system) / 1000;
}

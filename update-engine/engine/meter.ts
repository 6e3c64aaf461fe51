/** How fast a payload comes, over the last seconds rather than from the beginning: a pause must show. */
export interface Meter {
  /** Bytes done so far, at a time in milliseconds. */
  add(doneBytes: number, atMs: number): void;
  /** As seen at a time; null until there is something to go by. */
  bytesPerSecond(nowMs: number): number | null;
}

const WINDOW_MS = 10_000;
const STEP_MS = 500;

export function createMeter(): Meter {
  let samples: {at: number; done: number}[] = [];
  return {
    add(done, at) {
      const last = samples.at(-1);
      if (last !== undefined && at - last.at < STEP_MS) return;
      samples = [...samples.filter((sample) => at - sample.at <= WINDOW_MS), {at, done}];
    },
    bytesPerSecond(now) {
      const [first, last] = [samples[0], samples.at(-1)];
      if (first === undefined || last === undefined || last === first) return null;
      return Math.max(0, (1000 * (last.done - first.done)) / Math.max(now - first.at, last.at - first.at));
    },
  };
}

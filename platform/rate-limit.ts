/**
 * A limit on bytes per second: a bucket that fills with time. What takes more than is in it goes into debt and waits for
 * the debt to be paid, so that chunks of any size pass and the rate holds over time. Clock and waiting come from outside.
 */
export interface RateLimit {
  /** Returns when `bytes` more may pass; throws the signal's reason when it is aborted. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

export interface RateLimitOptions {
  readonly bytesPerSecond: number;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** As much as may pass at once after a pause: a second's worth would be felt on a thin line. */
const BURST_SECONDS = 0.25;

export function createRateLimit({bytesPerSecond, now, sleep}: RateLimitOptions): RateLimit {
  const burst = bytesPerSecond * BURST_SECONDS;
  let level = burst;
  let at = now();
  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      const time = now();
      level = Math.min(burst, level + ((time - at) / 1000) * bytesPerSecond) - bytes;
      at = time;
      if (level < 0) await sleep((-level / bytesPerSecond) * 1000, signal);
    },
  };
}

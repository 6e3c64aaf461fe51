/** Time as the engine sees it; tests have one of their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls once, after so many milliseconds; returns what stops it. */
  after(ms: number, call: () => void): () => void;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * Holds off whoever tries many wrong tokens. A token has 256 bits, so nobody guesses one; what this saves is the work,
 * and the log.
 */
export interface Attempts {
  isBlocked(from: string, now: number): boolean;
  /** A wrong token came. */
  note(from: string, now: number): void;
}

const WINDOW_MS = 10 * 60_000;
const MAX_WRONG = 10;
/** Beyond so many addresses the oldest are forgotten: memory is bounded, whoever asks. */
const MAX_KNOWN = 1000;

export function createAttempts(): Attempts {
  const wrong = new Map<string, {readonly since: number; readonly count: number}>();
  const current = (from: string, now: number): {readonly since: number; readonly count: number} => {
    const known = wrong.get(from);
    return known === undefined || now - known.since > WINDOW_MS ? {since: now, count: 0} : known;
  };
  return {
    isBlocked: (from, now) => current(from, now).count >= MAX_WRONG,
    note(from, now) {
      const {since, count} = current(from, now);
      wrong.delete(from);
      wrong.set(from, {since, count: count + 1});
      const [oldest] = wrong.keys();
      if (wrong.size > MAX_KNOWN && oldest !== undefined) wrong.delete(oldest);
    },
  };
}

/**
 * When to ask the server next, by the rules of the lineage (update_check_scheduler.cc): a while after the boot, then at
 * a regular interval; longer when the server is in trouble. Every delay is blurred, because a rack that got its power
 * back must not ask as one. Pure: chance comes in as a number from 0 (inclusive) to 1 (exclusive).
 */
import {MAX_POLL_SECONDS, MIN_POLL_SECONDS} from '../formats/omaha/offer.ts';

const MINUTE_MS = 60_000;
export const FIRST_CHECK_MS = 7 * MINUTE_MS;
export const REGULAR_INTERVAL_MS = MIN_POLL_SECONDS * 1000;
export const MAX_INTERVAL_MS = MAX_POLL_SECONDS * 1000;
/** The whole width: half of it before, half of it after. */
export const REGULAR_FUZZ_MS = 10 * MINUTE_MS;
/** With these the server says that it has too much to do, or is being looked after. */
const BACK_OFF_STATUSES: readonly (number | null)[] = [500, 503];

export interface LastCheck {
  /** What `nextCheck` returned before it; null after a start. */
  readonly intervalMs: number | null;
  /** HTTP status of a failed check; null when it did not fail for that. */
  readonly status: number | null;
  /** The server's wish. */
  readonly pollSeconds: number | null;
}

export interface NextCheck {
  /** Before the blur: what the next one doubles. */
  readonly intervalMs: number;
  /** From now on. */
  readonly delayMs: number;
}

/** After the trial the next release may come at once; a minute leaves room for a rack that boots as one. */
export function soonDelayMs(random: number): number {
  return Math.round(MINUTE_MS * (0.5 + random));
}

/** From the start of the engine, unless the host has been up for longer than that: then a minute suffices. */
export function firstCheck(random: number): NextCheck {
  return {intervalMs: REGULAR_INTERVAL_MS, delayMs: blur(FIRST_CHECK_MS, REGULAR_FUZZ_MS, random)};
}

export function nextCheck({intervalMs, status, pollSeconds}: LastCheck, random: number): NextCheck {
  const wanted = BACK_OFF_STATUSES.includes(status)
    ? 2 * (intervalMs ?? REGULAR_INTERVAL_MS)
    : pollSeconds === null
      ? REGULAR_INTERVAL_MS
      : pollSeconds * 1000;
  const interval = Math.min(MAX_INTERVAL_MS, Math.max(REGULAR_INTERVAL_MS, wanted));
  // The longer the pause, the more it is spread: whoever was sent away together shall not come back together.
  const fuzz = interval === REGULAR_INTERVAL_MS ? REGULAR_FUZZ_MS : interval;
  return {intervalMs: interval, delayMs: blur(interval, fuzz, random)};
}

function blur(ms: number, fuzzMs: number, random: number): number {
  return Math.round(ms + fuzzMs * (random - 0.5));
}

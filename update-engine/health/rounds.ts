/**
 * Runs checks until all of them pass in the same round, or the deadline comes. Only a whole round counts: a check that
 * passed a minute ago says nothing about a host on which another one has broken since.
 */
import type {Verdict} from './verdict.ts';

export interface Check {
  name: string;
  /** `signal` is aborted at the deadline; a check that throws has failed. */
  run(signal: AbortSignal): Promise<Verdict>;
}

export interface CheckResult extends Verdict {
  name: string;
  seconds: number;
}

export interface RoundsOptions {
  /** Asked anew for every round: an operator may have added one. */
  checks: () => Promise<readonly Check[]>;
  deadlineMs: number;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Rejects when the signal is aborted. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Aborted after so many milliseconds, by the caller's clock. */
  timeout: (ms: number) => AbortSignal;
  /** Called when what a check says differs from the round before. */
  onChange: (result: CheckResult) => void;
}

export interface Outcome {
  passed: boolean;
  /** Of the last round that the deadline did not cut short; of the first one if it cut that. */
  results: readonly CheckResult[];
  rounds: number;
}

/** Between two rounds: often enough to be quick, seldom enough to leave a busy boot its processor. */
const PAUSE_MS = 3_000;
const MAX_DETAIL_CHARACTERS = 1000;
/** A check that does not heed its signal must not hold up the verdict. */
const GRACE_MS = 10_000;

export async function runRounds(options: RoundsOptions): Promise<Outcome> {
  const {now} = options;
  const end = now() + options.deadlineMs;
  const shown = new Map<string, string>();
  let told: readonly CheckResult[] | null = null;
  for (let rounds = 1; ; rounds += 1) {
    const results: CheckResult[] = [];
    // One after the other: a boot has better uses for its processors.
    for (const check of await options.checks()) {
      const result = await runCheck(check, Math.max(0, end - now()), options);
      results.push(result);
      const words = `${result.passed} ${result.detail}`;
      if (shown.get(result.name) !== words) options.onChange(result);
      shown.set(result.name, words);
    }
    if (results.every(({passed}) => passed)) return {passed: true, results, rounds};
    // That no time was left says less than why the same check failed a moment ago.
    if (told === null || now() < end) told = results;
    if (now() + PAUSE_MS >= end) return {passed: false, results: told, rounds};
    await options.sleep(PAUSE_MS);
  }
}

async function runCheck(
  check: Check,
  leftMs: number,
  {now, timeout, sleep}: RoundsOptions,
): Promise<CheckResult> {
  const startedAt = now();
  const seconds = (): number => Math.round((now() - startedAt) / 10) / 100;
  if (leftMs === 0) return {name: check.name, passed: false, detail: 'no time was left for it', seconds: 0};
  const ended = new AbortController();
  const late = sleep(leftMs + GRACE_MS, ended.signal).then(() => ({
    passed: false,
    detail: 'did not end in time',
  }));
  const own = check
    .run(timeout(leftMs))
    .catch((error: unknown) => ({passed: false, detail: messageOf(error)}))
    .finally(() => ended.abort());
  // Ended by the check, the watch over it has nothing to say any more.
  const verdict = await Promise.race([own, late.catch(() => own)]);
  return {name: check.name, passed: verdict.passed, detail: oneLine(verdict.detail), seconds: seconds()};
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'failed';
}

/** Texts of others, made fit for a journal and a status page. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Surrogate}]+/gu, ' ')
    .trim()
    .slice(0, MAX_DETAIL_CHARACTERS);
}

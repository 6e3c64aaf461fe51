/**
 * Numbered writes to etcd, and what is left of them. A write that was acknowledged must be there in the end; one whose
 * outcome is unknown may be; one that was refused, and one that nobody made, must not.
 */
export type WriteOutcome = 'acknowledged' | 'refused' | 'unknown';

export interface WriteAttempt {
  /** From 1; each number is tried once. */
  number: number;
  /** Milliseconds on one clock for all attempts. */
  startedMs: number;
  endedMs: number;
  outcome: WriteOutcome;
}

export interface WriteReport {
  attempts: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  /** Of the unknown ones, how many were found. */
  unknownFound: number;
  /** Acknowledged, and not there. */
  lost: readonly number[];
  /** There, with a value that was not written. */
  altered: readonly string[];
  /** There, though refused or never written. */
  invented: readonly string[];
  /** The longest time without a write being acknowledged. */
  longestPauseMs: number;
}

/** Sorts as the number does. */
export function writeKey(prefix: string, number: number): string {
  return `${prefix}${String(number).padStart(8, '0')}`;
}

export function writeValue(number: number): string {
  return `write ${number}`;
}

/** `found`: all keys below the prefix with their values. */
export function judgeWrites(
  prefix: string,
  attempts: readonly WriteAttempt[],
  found: ReadonlyMap<string, string>,
): WriteReport {
  const withOutcome = (wanted: WriteOutcome): readonly WriteAttempt[] =>
    attempts.filter(({outcome}) => outcome === wanted);
  const isFound = ({number}: WriteAttempt): boolean => found.has(writeKey(prefix, number));
  const possible = new Map(
    attempts
      .filter(({outcome}) => outcome !== 'refused')
      .map(({number}) => [writeKey(prefix, number), writeValue(number)]),
  );
  const acknowledged = withOutcome('acknowledged');
  return {
    attempts: attempts.length,
    acknowledged: acknowledged.length,
    refused: withOutcome('refused').length,
    unknown: withOutcome('unknown').length,
    unknownFound: withOutcome('unknown').filter(isFound).length,
    lost: acknowledged.filter((attempt) => !isFound(attempt)).map(({number}) => number),
    altered: [...found].flatMap(([key, value]) =>
      possible.has(key) && possible.get(key) !== value ? key : [],
    ),
    invented: [...found.keys()].filter((key) => !possible.has(key)),
    longestPauseMs: longestPause(attempts),
  };
}

export function isFaultless({lost, altered, invented}: WriteReport): boolean {
  return lost.length === 0 && altered.length === 0 && invented.length === 0;
}

/** From the first attempt to the last, so that a store that never answers pauses all the time. */
function longestPause(attempts: readonly WriteAttempt[]): number {
  const [first] = attempts;
  if (first === undefined) return 0;
  let since = first.startedMs;
  let longest = 0;
  for (const {endedMs, outcome} of attempts) {
    longest = Math.max(longest, endedMs - since);
    if (outcome === 'acknowledged') since = endedMs;
  }
  return longest;
}

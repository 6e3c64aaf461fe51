/**
 * How a group takes a release up: how fast, in which order, when, and what makes it stop. Operators write it as a
 * document with shares (`5%`) and durations (`1h30m`); everything else sees the value that this file makes of it.
 *
 * Rejected: the one number of updates for each period that servers of the lineage have. It says nothing of the order, so
 * that other machines are the first ones each time, and stops for the first failure or for none.
 */
import {formatGoDuration, parseGoDuration} from '../../formats/go-duration.ts';
import {parseWindows} from '../../formats/reboot-window/parse.ts';
import type {RebootWindow} from '../../formats/reboot-window/window.ts';
import {describeIssues, z} from '../../formats/schema.ts';
import {isVersion} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';

export type Pace =
  /** Everyone at once. */
  | {readonly kind: 'all'}
  /** Of the machines, by their places in the order: one share more after each `everyMs`. */
  | {readonly kind: 'share'; readonly share: number; readonly everyMs: number}
  | {readonly kind: 'count'; readonly count: number; readonly everyMs: number};

export interface Canary {
  /** Ids of machines that go first. */
  readonly machines: readonly string[];
  /** And so many of all, by their places: 0 to 1. */
  readonly share: number;
  /** So many of them must run the release ... */
  readonly good: number;
  /** ... for so long before anyone else is granted it. */
  readonly soakMs: number;
}

/** Passed when at least so many machines, and at least such a share of those that came to an end, are like that. */
export interface Threshold {
  readonly machines: number;
  /** 0 to 1. */
  readonly share: number;
}

export interface HaltRules {
  readonly failed: Threshold | null;
  readonly rolledBack: Threshold | null;
  /** Began to update, and have not been heard of since. */
  readonly lost: Threshold | null;
  /** All three together. */
  readonly together: Threshold | null;
}

export interface RolloutPolicy {
  /** Shuffles the order: with the same seed the same machines are early. */
  readonly seed: string;
  readonly pace: Pace;
  /** Machines between grant and outcome; null for any number. */
  readonly maxInFlight: number | null;
  /** In which something new is granted; none: always. Without a zone of its own a window is in UTC. */
  readonly windows: readonly RebootWindow[];
  readonly canary: Canary | null;
  /** This version in place of what the channel points to. */
  readonly pin: string | null;
  /** Versions that a machine that is older must run before it is granted anything newer. */
  readonly steppingStones: readonly string[];
  readonly halt: HaltRules;
  /** A grant after which nothing is heard is taken back. */
  readonly grantLastsMs: number;
  /** A machine that began, and then says nothing for so long, counts as lost. */
  readonly lostAfterMs: number;
  /** One that waits and has not asked for so long holds nobody up. */
  readonly absentAfterMs: number;
  /** So often one release is granted to one machine. */
  readonly attempts: number;
}

/** A year: nothing here is meant to take longer. */
const MAX_MS = 365 * 86_400_000;
const MAX_MACHINES = 10_000_000;
const MAX_LISTED = 10_000;
const EVERY = /^(\S+) every (\S+)$/;

const duration = z.string().transform((text, context) => {
  const ms = parseGoDuration(text);
  if (ms !== null && ms >= 0 && ms <= MAX_MS) return ms;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text.slice(0, 40))} is no duration like 1h30m`,
  });
  return z.NEVER;
});
const share = z.string().transform((text, context) => {
  const value = parseShare(text);
  if (value !== null) return value;
  context.addIssue({code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} is no share like 5%`});
  return z.NEVER;
});
const pace = z.string().transform((text, context) => {
  const value = parsePace(text);
  if (value !== null) return value;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text.slice(0, 40))} is no pace like "5% every 1h", "20 every 30m" or "at once"`,
  });
  return z.NEVER;
});
const windows = z.string().transform((text, context) => {
  const reading = parseWindows(text);
  if (reading.kind === 'value') return reading.value;
  context.addIssue({code: 'custom', message: reading.problem});
  return z.NEVER;
});
const version = z.string().refine(isVersion, 'not a version');
const count = z.int().min(0).max(MAX_MACHINES);
const threshold = z.strictObject({machines: count.min(1), share}).nullable();
const text = z.string().max(256);

const policySchema = z.strictObject({
  seed: text,
  pace,
  inFlight: count.min(1).nullable(),
  windows: windows.nullable(),
  canary: z
    .strictObject({machines: z.array(text).max(MAX_LISTED), share, good: count.min(1), soak: duration})
    .nullable(),
  pin: version.nullable(),
  steppingStones: z.array(version).max(100),
  halt: z.strictObject({failed: threshold, rolledBack: threshold, lost: threshold, together: threshold}),
  grantLasts: duration.refine((ms) => ms >= 60_000, 'less than a minute'),
  lostAfter: duration.refine((ms) => ms >= 60_000, 'less than a minute'),
  absentAfter: duration.refine((ms) => ms >= 60_000, 'less than a minute'),
  attempts: z.int().min(1).max(50),
});

/** As it is written: every field may be left out, and is then as in DEFAULT_POLICY_DOCUMENT. */
export type PolicyDocument = z.input<typeof policySchema>;

/**
 * Careful with many machines, and not slow with few: a tenth each hour. The first machine that comes back from a
 * release stops it while fewer than fifty have come to an end; among many more, one broken disk does not.
 */
export const DEFAULT_POLICY_DOCUMENT: PolicyDocument = {
  seed: '',
  pace: '10% every 1h',
  inFlight: null,
  windows: null,
  canary: null,
  pin: null,
  steppingStones: [],
  halt: {
    failed: {machines: 3, share: '10%'},
    rolledBack: {machines: 1, share: '2%'},
    lost: {machines: 1, share: '2%'},
    together: {machines: 3, share: '3%'},
  },
  // A host asks every 45 minutes, and every 4 hours when the server was in trouble.
  grantLasts: '2h',
  lostAfter: '24h',
  absentAfter: '3h',
  attempts: 3,
};

/** What a document says; unknown fields are refused. Throws ServerError 'bad-policy'. */
export function parsePolicy(document: unknown, where: string): RolloutPolicy {
  const given: unknown =
    typeof document === 'object' && document !== null && !Array.isArray(document)
      ? {...DEFAULT_POLICY_DOCUMENT, ...document}
      : document;
  const result = policySchema.safeParse(given);
  if (!result.success) throw new ServerError('bad-policy', `${where}: ${describeIssues(result.error)}`);
  const {inFlight, windows: open, canary, grantLasts, lostAfter, absentAfter, ...same} = result.data;
  if (canary !== null && canary.machines.length === 0 && canary.share === 0)
    throw new ServerError('bad-policy', `${where}: canary: neither machines nor a share of them`);
  return {
    ...same,
    maxInFlight: inFlight,
    windows: open ?? [],
    canary: canary === null ? null : {...canary, soakMs: canary.soak},
    grantLastsMs: grantLasts,
    lostAfterMs: lostAfter,
    absentAfterMs: absentAfter,
  };
}

/** `5%`, `0.25%`: 0 to 1; null for anything else. */
export function parseShare(given: string): number | null {
  if (!/^\d{1,3}(\.\d{1,6})?%$/.test(given)) return null;
  const value = Number(given.slice(0, -1)) / 100;
  return value <= 1 ? value : null;
}

/** `5% every 1h`, `20 every 30m`, `at once`; null for anything else. */
export function parsePace(given: string): Pace | null {
  if (given === 'at once') return {kind: 'all'};
  const [, much = '', often = ''] = EVERY.exec(given) ?? [];
  const everyMs = parseGoDuration(often);
  if (everyMs === null || everyMs < 1000 || everyMs > MAX_MS) return null;
  const part = parseShare(much);
  if (part !== null) return part > 0 ? {kind: 'share', share: part, everyMs} : null;
  if (!/^[1-9]\d{0,7}$/.test(much) || Number(much) > MAX_MACHINES) return null;
  return {kind: 'count', count: Number(much), everyMs};
}

/** The form that parsePace reads. */
export function formatPace(value: Pace): string {
  if (value.kind === 'all') return 'at once';
  const much = value.kind === 'share' ? formatShare(value.share) : String(value.count);
  return `${much} every ${formatGoDuration(value.everyMs)}`;
}

export function formatShare(value: number): string {
  return `${Number((value * 100).toFixed(6))}%`;
}

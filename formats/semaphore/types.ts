/**
 * The reboot semaphore as a value. What locksmith stores as a counter is derived here, max less holders: two numbers
 * that say the same could disagree.
 */
import {CodedError} from '../errors.ts';

/**
 * `corrupt`: not JSON, or a semaphore that contradicts itself. `foreign`: JSON of something else. `too-long`: what would
 * be written is larger than what would be read.
 */
export class SemaphoreError extends CodedError<'corrupt' | 'foreign' | 'too-long' | 'bad-value'> {}

/** Fields of others, kept when the document is written again. */
export type Extra = Readonly<Record<string, unknown>>;

export interface SemaphoreHolder {
  readonly id: string;
  /** Milliseconds since 1970; null when a program that does not write it took the slot. */
  readonly since: number | null;
  readonly reason: string | null;
  readonly version: string | null;
  /** Kept on purpose after the reboot, as after a rollback: such a slot does not expire. */
  readonly isKept: boolean;
  readonly extra: Extra;
}

export interface Semaphore {
  readonly max: number;
  /** In the order of their ids, each id once. May be more than `max` after `max` was lowered. */
  readonly holders: readonly SemaphoreHolder[];
  /** A slot held for longer may be taken away by the next that asks; null: never. */
  readonly expirySeconds: number | null;
  readonly extra: Extra;
  /** Of our own part of the document, from later versions. */
  readonly ownExtra: Extra;
}

/** What locksmith writes when there is nothing yet: one host at a time. */
export const INITIAL_SEMAPHORE: Semaphore = {
  max: 1,
  holders: [],
  expirySeconds: null,
  extra: {},
  ownExtra: {},
};

/** etcd takes requests of 1.5 MiB; this leaves room for what else is in one. */
export const MAX_DOCUMENT_BYTES = 1 << 20;
/** As many as fit with details of ordinary length. */
export const MAX_HOLDERS = 4096;
/** Machine ids have 32 characters; an operator may lock by any name. */
export const MAX_ID_CHARACTERS = 256;
export const MAX_TEXT_CHARACTERS = 256;
export const MAX_EXPIRY_SECONDS = 10 * 365 * 24 * 3600;

/** Throws SemaphoreError 'bad-value'. */
export function requireId(id: string): void {
  if (!isId(id))
    throw new SemaphoreError(
      'bad-value',
      `${JSON.stringify(id.slice(0, MAX_ID_CHARACTERS))} cannot be the id of a holder`,
      {
        hint: `an id has 1 to ${MAX_ID_CHARACTERS} characters, none of them a control character`,
      },
    );
}

export function isId(id: string): boolean {
  return id.length > 0 && id.length <= MAX_ID_CHARACTERS && !/\p{Cc}|\p{Cs}/u.test(id);
}

/** Fit for the document and for a line on a terminal. */
export function tidyText(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();
  return [...line].slice(0, MAX_TEXT_CHARACTERS / 2).join('');
}

/** By bytes, as Go sorts strings; locksmith keeps its list so. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

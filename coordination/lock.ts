/**
 * The reboot lock as a host sees it: one slot of a counted semaphore, whoever keeps it. `etcd-lock` and `fleet-lock`
 * are two of these; the engine does not know which it has.
 *
 * Rejected: a lease that ends with its holder. A host that does not come back from its reboot is the very one that must
 * stop the others; see design, "Reboot coordination".
 */
import {CodedError} from '../formats/errors.ts';

/** `contended`: others wrote in between, more often than was tried. */
export class LockError extends CodedError<
  | 'unreachable'
  | 'timed-out'
  | 'no-quorum'
  | 'read-only'
  | 'credentials'
  | 'certificate'
  | 'corrupt'
  | 'foreign'
  | 'contended'
  | 'refused'
  | 'settings'
> {}

export interface LockHolder {
  readonly id: string;
  /** Milliseconds since 1970; null when a program that does not write it took the slot. */
  readonly since: number | null;
  readonly reason: string | null;
  /** The release that the holder restarts into, or came back from. */
  readonly version: string | null;
}

/** What a host says of itself when it asks. */
export interface LockAsk {
  readonly reason: string;
  readonly version: string | null;
}

export type LockAnswer =
  | {readonly kind: 'held'; readonly since: number | null}
  | {
      readonly kind: 'full';
      /** Null when the keeper does not tell. */
      readonly max: number | null;
      readonly holders: readonly LockHolder[];
      /** From 1, among those who wait, by the time they began; null when the keeper keeps no list. */
      readonly position: number | null;
      readonly waiting: number | null;
    };

/** Every method throws LockError when the answer is not known; the lock then counts as not held. */
export interface RebootLock {
  /** For people: the keeper and the group. */
  readonly where: string;
  /** Idempotent: a holder is answered 'held', with the time it began. */
  acquire(ask: LockAsk, signal: AbortSignal): Promise<LockAnswer>;
  /** Stays a holder, with another reason. */
  keep(ask: LockAsk, signal: AbortSignal): Promise<'kept' | 'not-held'>;
  /** Idempotent. Also takes this host off the list of those who wait. */
  release(signal: AbortSignal): Promise<'released' | 'not-held'>;
  close(): Promise<void>;
}

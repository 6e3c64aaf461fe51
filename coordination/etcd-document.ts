/**
 * The semaphore's document in etcd: read, decided upon in memory, written only if nobody wrote in between.
 *
 * INVARIANTS
 * - Every write carries the revision that was read. What was decided on an old state is never written.
 * - A write whose answer was lost is neither done nor undone until a later revision is seen. Until then even an answer
 *   that needs no write is given only after a write: it is this one, or the lost one, that etcd takes, never both. Else
 *   a host could be told that it holds nothing, and hold a slot a moment later.
 * - A document that is not a semaphore is not written to.
 */
import {decodeSemaphore} from '../formats/semaphore/decode.ts';
import {encodeSemaphore} from '../formats/semaphore/encode.ts';
import {semaphoreKey} from '../formats/semaphore/keys.ts';
import {INITIAL_SEMAPHORE, type Semaphore} from '../formats/semaphore/types.ts';
import type {EtcdClient} from '../platform/etcd/client.ts';
import {EtcdError} from '../platform/etcd/errors.ts';
import type {Change} from '../platform/etcd/wire.ts';
import {LockError} from './lock.ts';

export interface StoredSemaphore {
  readonly semaphore: Semaphore;
  /** Of its last write; 0 when nothing is there, and the semaphore is the initial one. */
  readonly revision: bigint;
}

export interface Decision<T> {
  /** The same object when there is nothing to write. */
  readonly semaphore: Semaphore;
  readonly result: T;
  /** Made together with the write, and only with one. */
  readonly also?: readonly Change[];
}

export interface DocumentOptions {
  readonly client: () => Promise<EtcdClient>;
  readonly group: string;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Hears how often a race was lost to others. */
  readonly onLostRace: () => void;
}

/** With a pause that grows to a second this is about ten seconds, in which a thousand hosts have had their turn. */
const MAX_ATTEMPTS = 16;
const MAX_LOST_ANSWERS = 3;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

export function createDocument({client, group, sleep, random, onLostRace}: DocumentOptions) {
  const key = semaphoreKey(group);
  /** The latest revision upon which a write was sent that may still be done. */
  let unsettled: bigint | null = null;

  function settle(seen: bigint): void {
    if (unsettled !== null && seen > unsettled) unsettled = null;
  }

  async function read(signal: AbortSignal): Promise<StoredSemaphore> {
    const {kvs} = await (await client()).range({key}, signal);
    const [found] = kvs;
    if (found === undefined) return {semaphore: INITIAL_SEMAPHORE, revision: 0n};
    return {semaphore: decodeSemaphore(found.value, key), revision: found.modRevision};
  }

  /** `isRepeated`: an earlier write of this same update may have been done already. Throws EtcdError, SemaphoreError, LockError. */
  async function update<T>(
    decide: (semaphore: Semaphore, isRepeated: boolean) => Decision<T>,
    signal: AbortSignal,
  ): Promise<T> {
    let lostAnswers = 0;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (attempt > 0) await sleep(pauseMs(attempt, random()), signal);
      const {semaphore, revision} = await read(signal);
      settle(revision);
      const decision = decide(semaphore, lostAnswers > 0);
      if (decision.semaphore === semaphore && unsettled === null) return decision.result;
      try {
        if (await write(revision, decision, signal)) return decision.result;
        onLostRace();
      } catch (error) {
        if (!(error instanceof EtcdError) || !error.mayBeDone) throw error;
        lostAnswers += 1;
        if (lostAnswers >= MAX_LOST_ANSWERS) throw error;
      }
    }
    throw new LockError('contended', `${key} was written by others ${MAX_ATTEMPTS} times in between`, {
      retryable: true,
      hint: 'ask again later',
    });
  }

  async function write(
    revision: bigint,
    {semaphore, also = []}: Decision<unknown>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const value = encodeSemaphore(semaphore);
    const etcd = await client();
    let isSent = true;
    try {
      const isDone = await etcd.txn(
        [{key, modRevision: revision}],
        [{kind: 'put', key, value}, ...also],
        signal,
      );
      isSent = false;
      if (isDone) settle(revision + 1n);
      return isDone;
    } catch (error) {
      isSent = !(error instanceof EtcdError) || error.mayBeDone;
      throw error;
    } finally {
      if (isSent && (unsettled === null || revision > unsettled)) unsettled = revision;
    }
  }

  return {key, read, update};
}

/** Doubles from attempt to attempt, and anything from none to all of it: hosts that met once shall not meet again. */
export function pauseMs(attempt: number, random: number): number {
  return random * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
}

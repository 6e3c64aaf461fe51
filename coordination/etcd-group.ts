/**
 * One group's semaphore in etcd, for whoever acts on it: the host itself, an operator who acts for any host, a server
 * that asks on behalf of hosts of other kinds.
 */
import {waitingKey} from '../formats/semaphore/keys.ts';
import {
  type SlotAsk,
  expireSlots,
  keepSlot,
  releaseSlot,
  setExpiry,
  setMax,
  takeSlot,
} from '../formats/semaphore/transitions.ts';
import {type Semaphore, type SemaphoreHolder, requireId} from '../formats/semaphore/types.ts';
import type {EtcdClient} from '../platform/etcd/client.ts';
import {EtcdError} from '../platform/etcd/errors.ts';
import {createDocument} from './etcd-document.ts';
import {asLockErrors} from './etcd-errors.ts';
import {type WaitingHost, createWaitingList} from './etcd-waiting.ts';
import type {LockAnswer, LockAsk, LockHolder} from './lock.ts';

export interface LockView {
  readonly group: string;
  readonly key: string;
  /** Of the last write; 0 when nobody has written yet. */
  readonly revision: number;
  readonly max: number;
  /** Less than 0 when there are more holders than slots. */
  readonly available: number;
  readonly expirySeconds: number | null;
  readonly holders: readonly (LockHolder & {
    /** Kept on purpose, and therefore without an end. */
    readonly isKept: boolean;
  })[];
  /** In the order in which they came. */
  readonly waiting: readonly WaitingHost[];
  readonly waitingTotal: number;
}

/** Every method throws LockError, or what its signal says. */
export interface EtcdGroup {
  readonly group: string;
  readonly key: string;
  /** Joins the waiting list when the lock is taken. */
  acquire(id: string, ask: LockAsk, signal: AbortSignal): Promise<LockAnswer>;
  /** Asks once, for somebody who is not going to wait. */
  tryAcquire(id: string, ask: LockAsk, signal: AbortSignal): Promise<LockAnswer>;
  keep(id: string, ask: LockAsk, signal: AbortSignal): Promise<'kept' | 'not-held'>;
  release(id: string, signal: AbortSignal): Promise<'released' | 'not-held'>;
  view(signal: AbortSignal): Promise<LockView>;
  setMax(max: number, signal: AbortSignal): Promise<{readonly oldMax: number; readonly max: number}>;
  setExpiry(seconds: number | null, signal: AbortSignal): Promise<{readonly oldSeconds: number | null}>;
}

export interface GroupOptions {
  readonly client: () => Promise<EtcdClient>;
  readonly group: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly random: () => number;
  /** How long a host stays on the list after it asked. */
  readonly waitingSeconds: number;
  readonly onExpired: (holder: LockHolder, group: string) => void;
  readonly onLostRace: () => void;
}

type Taken =
  | {kind: 'held'; holder: SemaphoreHolder; expired: readonly SemaphoreHolder[]}
  | {kind: 'full'; semaphore: Semaphore};

export function createGroup(options: GroupOptions): EtcdGroup {
  const {client, group, now, waitingSeconds, onExpired} = options;
  const document = createDocument(options);
  const waiting = createWaitingList(client, group, waitingSeconds);

  async function acquire(id: string, words: LockAsk, signal: AbortSignal): Promise<LockAnswer> {
    const ask: SlotAsk = {...words, id, now: now()};
    const answer = await take(ask, signal);
    return answer.kind === 'full' ? {...answer, ...(await standInLine(ask, signal))} : answer;
  }

  async function take(ask: SlotAsk, signal: AbortSignal): Promise<LockAnswer> {
    const {id} = ask;
    requireId(id);
    const taken = await document.update<Taken>((semaphore) => {
      const rest = expireSlots(semaphore, {now: ask.now, asking: id});
      const result = takeSlot(rest.semaphore, ask);
      // Nobody loses a slot to one who does not get it.
      if (result.kind === 'full') return {semaphore, result: {kind: 'full', semaphore}};
      return {
        semaphore: result.semaphore,
        result: {kind: 'held', holder: result.holder, expired: rest.expired},
        also: [{kind: 'delete', key: waitingKey(group, id)}],
      };
    }, signal);
    if (taken.kind === 'held') {
      for (const holder of taken.expired) onExpired(describeHolder(holder), group);
      return {kind: 'held', since: taken.holder.since};
    }
    const {max, holders} = taken.semaphore;
    return {kind: 'full', max, holders: holders.map(describeHolder), position: null, waiting: null};
  }

  /** The answer is known without it, and does not get worse when the list is out of reach. */
  async function standInLine(
    {id, now: since, reason, version}: SlotAsk,
    signal: AbortSignal,
  ): Promise<{position: number | null; waiting: number | null}> {
    try {
      return await waiting.join(id, {since, reason, version}, signal);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return {position: null, waiting: null};
    }
  }

  async function release(id: string, signal: AbortSignal): Promise<'released' | 'not-held'> {
    requireId(id);
    const result = await document.update<'released' | 'not-held'>((semaphore, isRepeated) => {
      const rest = releaseSlot(semaphore, id);
      // When an answer was lost, it is this host's own release that is found done.
      if (rest === null) return {semaphore, result: isRepeated ? 'released' : 'not-held'};
      return {semaphore: rest, result: 'released'};
    }, signal);
    await waiting.leave(id, signal);
    return result;
  }

  async function keep(id: string, ask: LockAsk, signal: AbortSignal): Promise<'kept' | 'not-held'> {
    requireId(id);
    return document.update<'kept' | 'not-held'>((semaphore) => {
      const kept = keepSlot(semaphore, {...ask, id});
      return kept === null ? {semaphore, result: 'not-held'} : {semaphore: kept, result: 'kept'};
    }, signal);
  }

  async function changeMax(max: number, signal: AbortSignal): Promise<{oldMax: number; max: number}> {
    let oldMax = max;
    return document.update((semaphore, isRepeated) => {
      // Found done after an answer was lost: what was before was seen then.
      if (!isRepeated || semaphore.max !== max) oldMax = semaphore.max;
      return {semaphore: setMax(semaphore, max), result: {oldMax, max}};
    }, signal);
  }

  async function changeExpiry(
    seconds: number | null,
    signal: AbortSignal,
  ): Promise<{oldSeconds: number | null}> {
    let oldSeconds = seconds;
    return document.update((semaphore, isRepeated) => {
      if (!isRepeated || semaphore.expirySeconds !== seconds) oldSeconds = semaphore.expirySeconds;
      return {semaphore: setExpiry(semaphore, seconds), result: {oldSeconds}};
    }, signal);
  }

  async function view(signal: AbortSignal): Promise<LockView> {
    const {semaphore, revision} = await document.read(signal);
    const {hosts, total} = await waiting.list(signal);
    return {
      group,
      key: document.key,
      revision: Number(revision),
      max: semaphore.max,
      available: semaphore.max - semaphore.holders.length,
      expirySeconds: semaphore.expirySeconds,
      holders: semaphore.holders.map((holder) => ({...describeHolder(holder), isKept: holder.isKept})),
      waiting: hosts,
      waitingTotal: total,
    };
  }

  return {
    group,
    key: document.key,
    acquire: (id, ask, signal) => asLockErrors(() => acquire(id, ask, signal)),
    tryAcquire: (id, ask, signal) => asLockErrors(() => take({...ask, id, now: now()}, signal)),
    keep: (id, ask, signal) => asLockErrors(() => keep(id, ask, signal)),
    release: (id, signal) => asLockErrors(() => release(id, signal)),
    view: (signal) => asLockErrors(() => view(signal)),
    setMax: (max, signal) => asLockErrors(() => changeMax(max, signal)),
    setExpiry: (seconds, signal) => asLockErrors(() => changeExpiry(seconds, signal)),
  };
}

function describeHolder({id, since, reason, version}: SemaphoreHolder): LockHolder {
  return {id, since, reason, version};
}

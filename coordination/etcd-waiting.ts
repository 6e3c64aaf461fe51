/**
 * The list of hosts that wait for a slot: a key for each, tied to a lease that ends when the host stops asking. Who came
 * first is told by the revision that made the key.
 *
 * The list informs and does not gate. Rejected: to let only the first in line take a free slot. A host at the head that
 * is slow to ask, or whose window is closed, would hold up all the others.
 */
import {waiterOfKey, waitingKey, waitingPrefix} from '../formats/semaphore/keys.ts';
import {type Waiter, decodeWaiter, encodeWaiter} from '../formats/semaphore/waiting.ts';
import type {EtcdClient} from '../platform/etcd/client.ts';

export interface WaitingHost extends Waiter {
  readonly id: string;
  /** From 1. */
  readonly position: number;
}

/** More than a semaphore has holders; the rest of a longer list is only counted. */
const MAX_LISTED = 10_000;
/** A lease is renewed after a third of its time, so that two renewals may fail. */
const KEEP_PARTS = 3;

export function createWaitingList(client: () => Promise<EtcdClient>, group: string, leaseSeconds: number) {
  const prefix = waitingPrefix(group);

  /** What this program last did for a host, so that most questions are one look at the list. */
  const memory = new Map<string, {readonly value: string; readonly keptAt: number}>();

  /** Puts the host on the list, or keeps it there, and says where it stands. */
  async function join(
    id: string,
    waiter: Waiter & {readonly since: number},
    signal: AbortSignal,
  ): Promise<{position: number | null; waiting: number}> {
    const key = waitingKey(group, id);
    const asked = waiter.since;
    const words = JSON.stringify([waiter.reason, waiter.version]);
    const known = memory.get(id);
    const isFresh = known?.value === words && asked - known.keptAt < (leaseSeconds * 1000) / KEEP_PARTS;
    const place = await look(key, signal);
    if (isFresh && place.position !== null) return place;
    await stay(key, waiter, signal);
    if (memory.size > MAX_LISTED) memory.clear();
    memory.set(id, {value: words, keptAt: asked});
    return place.position === null ? look(key, signal) : place;
  }

  /** Keeps the time at which it came, whatever program of the host wrote it. */
  async function stay(key: string, waiter: Waiter, signal: AbortSignal): Promise<void> {
    const etcd = await client();
    const [before] = (await etcd.range({key}, signal)).kvs;
    const known = before === undefined ? null : decodeWaiter(before.value);
    const value = encodeWaiter({...waiter, since: known?.since ?? waiter.since});
    const lives = before !== undefined && before.lease !== 0n && (await etcd.keepLease(before.lease, signal));
    if (!lives) {
      const lease = await etcd.grantLease(leaseSeconds, signal);
      await etcd.txn([], [{kind: 'put', key, value, lease}], signal);
    } else if (Buffer.compare(before.value, value) !== 0) {
      await etcd.txn(
        [{key, modRevision: before.modRevision}],
        [{kind: 'put', key, value, lease: 'keep'}],
        signal,
      );
    }
  }

  async function look(key: string, signal: AbortSignal): Promise<{position: number | null; waiting: number}> {
    const {kvs, count} = await (
      await client()
    ).range({key: prefix, isPrefix: true, keysOnly: true, order: 'created', limit: MAX_LISTED}, signal);
    const index = kvs.findIndex((each) => each.key === key);
    return {position: index < 0 ? null : index + 1, waiting: count};
  }

  async function leave(id: string, signal: AbortSignal): Promise<void> {
    memory.delete(id);
    const etcd = await client();
    const key = waitingKey(group, id);
    const [found] = (await etcd.range({key, keysOnly: true}, signal)).kvs;
    if (found !== undefined) await etcd.txn([], [{kind: 'delete', key}], signal);
  }

  /** In the order in which they came, with how many there are in all. */
  async function list(signal: AbortSignal): Promise<{hosts: WaitingHost[]; total: number}> {
    const {kvs, count} = await (
      await client()
    ).range({key: prefix, isPrefix: true, order: 'created', limit: MAX_LISTED}, signal);
    const hosts = kvs.flatMap(({key, value}, index) => {
      const id = waiterOfKey(group, key);
      return id === null ? [] : [{id, position: index + 1, ...decodeWaiter(value)}];
    });
    return {hosts, total: count};
  }

  return {join, leave, list};
}

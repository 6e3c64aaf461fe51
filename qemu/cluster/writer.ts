/** A client that writes to etcd all the while, one number after the other, and remembers what it was promised. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdClient} from '../../platform/etcd/client.ts';
import {EtcdError} from '../../platform/etcd/errors.ts';
import {
  judgeWrites,
  type WriteAttempt,
  type WriteOutcome,
  type WriteReport,
  writeKey,
  writeValue,
} from './writes.ts';

export interface WriterOptions {
  /**
   * One for each member. It stays with one until that fails: a client of several endpoints would ask the one that
   * answered last again after a write whose outcome is unknown.
   */
  members: readonly Pick<EtcdClient, 'range' | 'txn'>[];
  /** Ends with a slash. Nobody else writes below it. */
  prefix: string;
  /** Milliseconds on a clock that never goes back. */
  now: () => number;
  /** Between the end of a write and the next. */
  everyMs: number;
}

export interface Writer {
  readonly attempts: readonly WriteAttempt[];
  /** Ends the writing and waits for the outcome of the last write. */
  stop(): Promise<void>;
  /** Reads everything back, and judges. Throws EtcdError. */
  check(signal: AbortSignal): Promise<WriteReport>;
}

export function startWriter({members, prefix, now, everyMs}: WriterOptions): Writer {
  const attempts: WriteAttempt[] = [];
  const stopped = new AbortController();
  let turn = 0;
  // A write is never broken off by us: its outcome would be unknown for no reason.
  const never = new AbortController().signal;

  async function write(number: number): Promise<WriteOutcome> {
    const etcd = members[turn % members.length];
    if (etcd === undefined) return 'refused';
    const value = Buffer.from(writeValue(number));
    try {
      const isDone = await etcd.txn([], [{kind: 'put', key: writeKey(prefix, number), value}], never);
      return isDone ? 'acknowledged' : 'unknown';
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      turn += 1;
      return error.mayBeDone ? 'unknown' : 'refused';
    }
  }

  async function readAll(signal: AbortSignal): ReturnType<typeof readFrom> {
    let failure: unknown = new EtcdError('unreachable', 'there is no member to read from');
    for (const etcd of members)
      try {
        return await readFrom(etcd, prefix, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    throw failure;
  }

  const loop = (async () => {
    for (let number = 1; !stopped.signal.aborted; number += 1) {
      const startedMs = now();
      const outcome = await write(number);
      attempts.push({number, startedMs, endedMs: now(), outcome});
      await sleep(everyMs, undefined, {signal: stopped.signal}).catch(() => undefined);
    }
  })();
  // Whoever stops the writer hears of a fault of ours.
  loop.catch(() => undefined);
  return {
    attempts,
    async stop() {
      stopped.abort();
      await loop;
    },
    async check(signal) {
      const kvs = await readAll(signal);
      const found = new Map(kvs.map(({key, value}) => [key, Buffer.from(value).toString('utf8')]));
      return judgeWrites(prefix, attempts, found);
    },
  };
}

async function readFrom(
  etcd: Pick<EtcdClient, 'range'>,
  prefix: string,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<EtcdClient['range']>>['kvs']> {
  return (await etcd.range({key: prefix, isPrefix: true}, signal)).kvs;
}

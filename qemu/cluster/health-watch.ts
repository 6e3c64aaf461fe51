/**
 * Asks each member again and again whether it is healthy: whether it answers a linearizable read, which takes a leader
 * and a majority. Each member has a loop of its own, because one that is away must not slow down the watch on others.
 */
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdClient} from '../../platform/etcd/client.ts';
import type {HealthSample} from './quorum.ts';

export interface WatchedMember {
  name: string;
  /** Of this member alone. */
  etcd: Pick<EtcdClient, 'range'>;
}

export interface HealthWatchOptions {
  members: readonly WatchedMember[];
  /** Milliseconds on a clock that never goes back. */
  now: () => number;
  everyMs: number;
  /** Hears of each member's first sample, and whenever it turns. */
  onTurn?: (sample: HealthSample) => void;
}

export interface HealthWatch {
  /** In the order in which they were answered; goes on growing. */
  readonly samples: readonly HealthSample[];
  /** Ends the loops; a question that is under way leaves no sample. */
  stop(): Promise<void>;
}

/** Any key will do: there need be nothing under it. */
const HEALTH_KEY = 'health';

export function watchHealth({members, now, everyMs, onTurn}: HealthWatchOptions): HealthWatch {
  const samples: HealthSample[] = [];
  const stopped = new AbortController();
  const loops = members.map(async (member) => {
    let was: boolean | undefined;
    while (!stopped.signal.aborted) {
      const sample = await ask(member, now, stopped.signal);
      if (sample === undefined) return;
      samples.push(sample);
      if (sample.isHealthy !== was) onTurn?.(sample);
      was = sample.isHealthy;
      await sleep(everyMs, undefined, {signal: stopped.signal}).catch(() => undefined);
    }
  });
  return {
    samples,
    async stop() {
      stopped.abort();
      await Promise.all(loops);
    },
  };
}

async function ask(
  {name, etcd}: WatchedMember,
  now: () => number,
  signal: AbortSignal,
): Promise<HealthSample | undefined> {
  const askedMs = now();
  const reason = await etcd.range({key: HEALTH_KEY}, signal).then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (signal.aborted) return undefined;
  return {member: name, askedMs, answeredMs: now(), isHealthy: reason === null, reason};
}

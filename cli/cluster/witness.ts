/** Watches a cluster and writes to it while something is done to it, and judges what came of it. */
import type {HttpExchange} from '../../platform/http.ts';
import {watchHealth} from '../../qemu/cluster/health-watch.ts';
import {judgeQuorum} from '../../qemu/cluster/quorum.ts';
import {startWriter} from '../../qemu/cluster/writer.ts';
import type {DemoReport} from './demo-report.ts';
import {memberClients, type WatchableMember} from './owner.ts';
import {type MemberTimeline, startTimeline} from './timeline.ts';

/** A member that is slow because it is emulated shall not count as away. */
export const HEALTH_TIMEOUT_MS = 15_000;
const HEALTH_EVERY_MS = 1_000;
const WRITE_TIMEOUT_MS = 10_000;
const WRITE_EVERY_MS = 250;
const PREFIX = 'caisson-demo/writes/';

export interface Watchable {
  cluster: {readonly members: readonly WatchableMember[]};
  http: HttpExchange;
  signal: AbortSignal;
}

/** What is known while it goes on. */
export interface Timeline {
  members: MemberTimeline[];
  mostHolders: number;
}

/** Watches and writes while `act` runs. Throws what `act` throws, and EtcdError when nothing can be read in the end. */
export async function withWitness(
  {cluster, http, signal}: Watchable,
  say: (text: string) => void,
  act: (timeline: Timeline) => Promise<void>,
): Promise<DemoReport> {
  const names = cluster.members.map(({plan}) => plan.name);
  const timeline: Timeline = {members: startTimeline(names), mostHolders: 0};
  const beganMs = performance.now();
  const now = (): number => performance.now();
  const watch = watchHealth({
    members: memberClients(cluster.members, http, HEALTH_TIMEOUT_MS),
    ...{now, everyMs: HEALTH_EVERY_MS},
    onTurn: ({member, isHealthy, reason}) =>
      say(`etcd of ${member}: ${isHealthy ? 'healthy' : (reason ?? 'away')}`),
  });
  const writer = startWriter({
    members: memberClients(cluster.members, http, WRITE_TIMEOUT_MS).map(({etcd}) => etcd),
    ...{prefix: PREFIX, now, everyMs: WRITE_EVERY_MS},
  });
  try {
    await act(timeline);
  } finally {
    await Promise.all([watch.stop(), writer.stop()]);
  }
  const quorum = judgeQuorum(watch.samples, names);
  return {beganMs, ...timeline, quorum, writes: await writer.check(signal)};
}

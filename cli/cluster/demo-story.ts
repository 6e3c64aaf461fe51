/**
 * The demo of a cluster: three hosts update themselves one after the other, while a client writes to the etcd that runs
 * on them. Who goes when is up to the hosts and their lock; this only watches.
 */
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdClient} from '../../platform/etcd/client.ts';
import {type HealthWatch, watchHealth} from '../../qemu/cluster/health-watch.ts';
import type {Member} from '../../qemu/cluster/member.ts';
import {setupScript} from '../../qemu/cluster/member-setup.ts';
import {judgeQuorum} from '../../qemu/cluster/quorum.ts';
import {type Writer, startWriter} from '../../qemu/cluster/writer.ts';
import {serveReleases} from '../../server/serve.ts';
import {addressForGuest} from '../demo/host.ts';
import {
  DEMO_VERSIONS,
  type DemoFolder,
  buildRelease,
  makeKeysOnce,
  packRelease,
  promote,
} from '../demo/releases.ts';
import {findRelease} from '../releases.ts';
import {ClusterError} from './control.ts';
import {type DemoReport, faults, formatDemoReport} from './demo-report.ts';
import type {ClusterStatus} from './document.ts';
import {memberClients, type OwnedCluster, withOwnedCluster} from './owner.ts';
import {
  describeChanges,
  isRolledOut,
  lookedAt,
  type MemberTimeline,
  restartedAt,
  startTimeline,
} from './timeline.ts';

export interface ClusterDemoOptions extends DemoFolder {
  /** For the cluster, as `caisson cluster up` has it. */
  clusterDirectory: string;
  members: number;
  memoryMiB: number;
  cpus: number;
  /** Restarts the hosts one after the other instead of updating them. */
  isDrill: boolean;
  /** Gets the last page. */
  print: (text: string) => void;
}

const GRACE_MS = 1000;
const LOOK_EVERY_MS = 2_000;
/** A member that is slow because it is emulated shall not count as away. */
const HEALTH_TIMEOUT_MS = 15_000;
const HEALTH_EVERY_MS = 1_000;
const WRITE_TIMEOUT_MS = 10_000;
const WRITE_EVERY_MS = 250;
const PREFIX = 'caisson-demo/writes/';
/** Emulated, a host needs some minutes to unpack a payload, to restart, and to be found good; there are several. */
const DEADLINE_MS = 4 * 60 * 60_000;
/** What the selector prints. */
const STARTS = /caisson: booting USR-\w.*/;

/** Throws ClusterError 'refused' when the majority was lost, or a write. */
export async function tellClusterDemo(options: ClusterDemoOptions): Promise<void> {
  const {directory, say, signal} = options;
  await makeKeysOnce(options);
  const first = await buildRelease('first', options);
  if (!options.isDrill) {
    await buildRelease('second', options);
    await packRelease('second', options);
    await promote('second', options);
  }
  const server = await serveReleases({
    ...{dir: directory, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
    now: () => Date.now(),
    onLine: (text) => say(`server: ${text}`),
    onAccess: () => undefined,
  });
  try {
    const cluster = {
      directory: options.clusterDirectory,
      release: await findRelease(directory, first),
      ...{members: options.members, memoryMiB: options.memoryMiB, cpus: options.cpus},
      // They shall not begin before the watch does.
      updateSettings: {SERVER: 'disabled', REBOOT_STRATEGY: 'etcd-lock'},
      ...{signal, say},
    };
    await withOwnedCluster(cluster, async (owned) => {
      const report = await watched(owned, options, async (timeline) => {
        if (options.isDrill) await restartInTurn(owned, options, timeline);
        else await updateAll(owned, `${addressForGuest(server.url)}/v1/update/`, options, timeline);
      });
      options.print(formatDemoReport(report));
      const found = faults(report);
      if (found.length > 0) throw new ClusterError('refused', found.join('; '));
    });
  } finally {
    await server.close(GRACE_MS);
  }
}

/** What is known while it goes on. */
interface Timeline {
  members: MemberTimeline[];
  mostHolders: number;
}

/** Watches and writes while `act` runs, and judges. */
async function watched(
  {cluster, http, signal}: OwnedCluster,
  {say}: ClusterDemoOptions,
  act: (timeline: Timeline) => Promise<void>,
): Promise<DemoReport> {
  const names = cluster.members.map(({plan}) => plan.name);
  const timeline: Timeline = {members: startTimeline(names), mostHolders: 0};
  const beganMs = performance.now();
  const now = (): number => performance.now();
  const watch: HealthWatch = watchHealth({
    members: memberClients(cluster.members, http, HEALTH_TIMEOUT_MS),
    ...{now, everyMs: HEALTH_EVERY_MS},
    onTurn: ({member, isHealthy, reason}) =>
      say(`etcd of ${member}: ${isHealthy ? 'healthy' : (reason ?? 'away')}`),
  });
  const writer: Writer = startWriter({
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

/** Tells all hosts at once that there is something new, and looks on until they all run it. */
async function updateAll(
  {cluster, observer, signal}: OwnedCluster,
  url: string,
  {say}: ClusterDemoOptions,
  timeline: Timeline,
): Promise<void> {
  const version = DEMO_VERSIONS.second;
  const conf = setupScript([
    {path: '/etc/caisson/update.conf', text: `GROUP=stable\nSERVER=${url}\nREBOOT_STRATEGY=etcd-lock\n`},
  ]);
  const ended = new AbortController();
  for (const member of cluster.members)
    void noteRestarts(member, AbortSignal.any([signal, ended.signal]), (text) => {
      say(`${member.plan.name} restarts; ${text}`);
      timeline.members = restartedAt(timeline.members, member.plan.name, performance.now());
    });
  await Promise.all(
    cluster.members.map((member) =>
      member.runAsRoot(['sh', '-e', '-s'], `${conf}caissonctl update --no-wait\n`),
    ),
  );
  say(`all hosts were told to update to ${version}; who restarts when is up to them`);
  const until = performance.now() + DEADLINE_MS;
  let before: ClusterStatus | null = null;
  try {
    for (;;) {
      const status = await observer.status(signal);
      for (const change of describeChanges(before, status)) say(change);
      before = status;
      timeline.members = lookedAt(timeline.members, status, version, performance.now());
      if (status.lock.kind === 'known')
        timeline.mostHolders = Math.max(timeline.mostHolders, status.lock.holders.length);
      if (isRolledOut(status, version)) return;
      failOn(status, version);
      if (performance.now() > until)
        throw new ClusterError(
          'refused',
          `not all hosts run ${version} after ${DEADLINE_MS / 60_000} minutes`,
        );
      await sleep(LOOK_EVERY_MS, undefined, {signal});
    }
  } finally {
    ended.abort();
  }
}

/** Without a lock in the way: the next one is restarted when the one before is healthy again. */
async function restartInTurn(
  {cluster, http, signal}: OwnedCluster,
  {say}: ClusterDemoOptions,
  timeline: Timeline,
): Promise<void> {
  for (const member of cluster.members) {
    const {name} = member.plan;
    await Promise.all(
      memberClients(cluster.members, http, HEALTH_TIMEOUT_MS).map((each) => untilHealthy(each, signal)),
    );
    say(`${name} is restarted`);
    const after = member.machine.console.position;
    // The connection may end before the command does.
    await member.runAsRoot(['systemctl', 'reboot']).catch(() => undefined);
    const {text} = await member.machine.console.waitFor(STARTS, {after, deadlineMs: DEADLINE_MS, signal});
    say(`${name}: ${text.trim()}`);
    timeline.members = restartedAt(timeline.members, name, performance.now());
    const [own] = memberClients([member], http, HEALTH_TIMEOUT_MS);
    if (own !== undefined) await untilHealthy(own, signal);
    await member.ssh.disconnect();
  }
}

async function untilHealthy(
  {name, etcd}: {name: string; etcd: EtcdClient},
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      await etcd.range({key: 'health'}, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > until)
        throw new ClusterError('refused', `etcd of ${name} did not come back`, {cause: error});
    }
    await sleep(LOOK_EVERY_MS, undefined, {signal});
  }
}

async function noteRestarts(
  {machine}: Member,
  signal: AbortSignal,
  onRestart: (text: string) => void,
): Promise<void> {
  let after = machine.console.position;
  try {
    for (;;) {
      const start = await machine.console.waitFor(STARTS, {after, deadlineMs: DEADLINE_MS, signal});
      onRestart(start.text.trim());
      after = start.end;
    }
  } catch {
    // The machine is off, or nobody wants to know any more.
  }
}

function failOn({members}: ClusterStatus, version: string): void {
  for (const {name, host} of members) {
    const last = host?.lastUpdate;
    if (last?.version !== version || (last.outcome !== 'failed' && last.outcome !== 'rolled-back')) continue;
    throw new ClusterError('refused', `the update of ${name} ended badly: ${last.detail}`);
  }
}

/** A release goes to all hosts of a cluster. Who restarts when is up to the hosts and their lock; this only watches. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {Member} from '../../qemu/cluster/member.ts';
import {setupScript} from '../../qemu/cluster/member-setup.ts';
import {ClusterError} from './errors.ts';
import type {ClusterStatus} from './document.ts';
import type {OwnedCluster} from './owner.ts';
import {describeChanges, isRolledOut, lookedAt, restartedAt} from './timeline.ts';
import type {Timeline} from './witness.ts';

/** Emulated, a host needs some minutes to unpack a payload, to restart, and to be found good; there are several. */
export const ROLLOUT_DEADLINE_MS = 4 * 60 * 60_000;
const LOOK_EVERY_MS = 2_000;
/** What the selector prints. */
export const STARTS = /caisson: booting USR-\w.*/;

export interface RolloutOptions {
  /** Of the release server, as the hosts reach it. */
  url: string;
  version: string;
  say: (text: string) => void;
}

/**
 * Tells all hosts at once that there is something new, and looks on until they all run it. Throws ClusterError when an
 * update ends badly.
 */
export async function rollOut(
  {cluster, observer, signal}: OwnedCluster,
  {url, version, say}: RolloutOptions,
  timeline: Timeline,
): Promise<void> {
  const ended = new AbortController();
  for (const member of cluster.members)
    void onRestarts(member, AbortSignal.any([signal, ended.signal]), (text) => {
      say(`${member.plan.name} restarts; ${text}`);
      timeline.members = restartedAt(timeline.members, member.plan.name, performance.now());
    });
  await Promise.all(cluster.members.map((member) => orderUpdate(member, url)));
  say(`all hosts were told to update to ${version}; who restarts when is up to them`);
  const until = performance.now() + ROLLOUT_DEADLINE_MS;
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
          `not all hosts run ${version} after ${ROLLOUT_DEADLINE_MS / 60_000} minutes`,
        );
      await sleep(LOOK_EVERY_MS, undefined, {signal});
    }
  } finally {
    ended.abort();
  }
}

/** Points a host to the server, and has it look there at once. */
export async function orderUpdate(member: Member, url: string): Promise<void> {
  const conf = setupScript([
    {path: '/etc/caisson/update.conf', text: `GROUP=stable\nSERVER=${url}\nREBOOT_STRATEGY=etcd-lock\n`},
  ]);
  await member.runAsRoot(['sh', '-e', '-s'], `${conf}caissonctl update --no-wait\n`);
}

/** Calls back each time that the machine begins to boot, with the selector's line, until it is off or aborted. */
export async function onRestarts(
  {machine}: Member,
  signal: AbortSignal,
  onRestart: (text: string) => void,
): Promise<void> {
  let after = machine.console.position;
  try {
    for (;;) {
      const start = await machine.console.waitFor(STARTS, {after, deadlineMs: ROLLOUT_DEADLINE_MS, signal});
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

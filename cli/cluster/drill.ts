/** Restarts the hosts of a cluster one after the other, as its lock would let them, but by hand. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {EtcdClient} from '../../platform/etcd/client.ts';
import {ClusterError} from './errors.ts';
import {memberClients, type OwnedCluster} from './owner.ts';
import {ROLLOUT_DEADLINE_MS, STARTS} from './rollout.ts';
import {restartedAt} from './timeline.ts';
import {HEALTH_TIMEOUT_MS, type Timeline} from './witness.ts';

const ASK_EVERY_MS = 2_000;

/** The next one is restarted when all members are healthy again. */
export async function restartInTurn(
  {cluster, http, signal}: OwnedCluster,
  say: (text: string) => void,
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
    const {text} = await member.machine.console.waitFor(STARTS, {
      after,
      deadlineMs: ROLLOUT_DEADLINE_MS,
      signal,
    });
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
  const until = performance.now() + ROLLOUT_DEADLINE_MS;
  for (;;) {
    try {
      await etcd.range({key: 'health'}, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > until)
        throw new ClusterError('refused', `etcd of ${name} did not come back`, {cause: error});
    }
    await sleep(ASK_EVERY_MS, undefined, {signal});
  }
}

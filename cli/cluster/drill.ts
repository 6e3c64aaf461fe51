/** Restarts the hosts of a cluster one after the other, as its lock would let them, but by hand. */
import {memberClients, type OwnedCluster, untilHealthy} from './owner.ts';
import {ROLLOUT_DEADLINE_MS, STARTS} from './rollout.ts';
import {restartedAt} from './timeline.ts';
import {HEALTH_TIMEOUT_MS, type Timeline} from './witness.ts';

/** The next one is restarted when all members are healthy again. */
export async function restartInTurn(
  {cluster, http, signal}: OwnedCluster,
  say: (text: string) => void,
  timeline: Timeline,
): Promise<void> {
  for (const member of cluster.members) {
    const {name} = member.plan;
    const clients = memberClients(cluster.members, http, HEALTH_TIMEOUT_MS);
    await Promise.all(clients.map((each) => untilHealthy(each, ROLLOUT_DEADLINE_MS, signal)));
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
    if (own !== undefined) await untilHealthy(own, ROLLOUT_DEADLINE_MS, signal);
    await member.ssh.disconnect();
  }
}

/** The demo of a cluster: its hosts update themselves one after the other, while a client writes to their etcd. */
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
import {ClusterError} from './errors.ts';
import {faults, formatDemoReport} from './demo-report.ts';
import {restartInTurn} from './drill.ts';
import {withOwnedCluster} from './owner.ts';
import {rollOut} from './rollout.ts';
import {withWitness} from './witness.ts';

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
      const url = `${addressForGuest(server.url)}/v1/update/`;
      const report = await withWitness(owned, say, async (timeline) => {
        if (options.isDrill) await restartInTurn(owned, say, timeline);
        else await rollOut(owned, {url, version: DEMO_VERSIONS.second, say}, timeline);
      });
      options.print(formatDemoReport(report));
      const found = faults(report);
      if (found.length > 0) throw new ClusterError('refused', found.join('; '));
    });
  } finally {
    await server.close(GRACE_MS);
  }
}

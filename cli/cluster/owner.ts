/** Owns a cluster from the first frame to the last: starts it, makes members of its hosts, and answers who asks. */
import {mkdtemp, mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileOfRole} from '../../formats/release.ts';
import {createEtcdClient, type EtcdClient} from '../../platform/etcd/client.ts';
import {createHttpClient, type HttpExchange} from '../../platform/http.ts';
import {bootCluster, type Cluster, withCluster} from '../../qemu/cluster/cluster.ts';
import {BOOT_DEADLINE_MS, type Member} from '../../qemu/cluster/member.ts';
import {createRuntimeFolder} from '../../qemu/runtime-folder.ts';
import {removeAbandoned} from '../../qemu/session.ts';
import type {FoundRelease} from '../releases.ts';
import {readNote, serveControl} from './control.ts';
import {ClusterError} from './errors.ts';
import {createObserver, type Observer} from './observe.ts';

export interface OwnerOptions {
  /** For the note, and for the disks and logs of this run. */
  directory: string;
  release: FoundRelease;
  members: number;
  memoryMiB: number;
  cpus: number;
  updateSettings: Readonly<Record<string, string>>;
  signal: AbortSignal;
  say: (text: string) => void;
}

export interface OwnedCluster {
  cluster: Cluster;
  observer: Observer;
  http: HttpExchange;
  /** Aborted by `caisson cluster down` and by the signal of the options. */
  signal: AbortSignal;
}

const DISK_BYTES = 16 * 2 ** 30;
const ASK_EVERY_MS = 2_000;

/** Runs a cluster whose hosts have booted and whose etcd is healthy while `use` runs. Throws ClusterError, QemuError. */
export async function withOwnedCluster<T>(
  options: OwnerOptions,
  use: (owned: OwnedCluster) => Promise<T>,
): Promise<T> {
  const {directory, release, say} = options;
  const running = await readNote(directory);
  if (running !== undefined)
    throw new ClusterError('running', `process ${running.pid} runs a cluster already`, {
      hint: 'end it with: caisson cluster down',
    });
  await mkdir(directory, {recursive: true});
  await removeAbandoned(directory);
  const folder = await mkdtemp(join(directory, `run-${process.pid}-`));
  const runtime = await createRuntimeFolder();
  const down = new AbortController();
  const signal = AbortSignal.any([options.signal, down.signal]);
  const http = createHttpClient({isDirect: true});
  const image = {path: join(release.directory, fileOfRole(release.release, 'disk')), format: 'raw'} as const;
  const {sectorSize: sectorBytes, version} = release.release;
  say(`starting ${options.members} machines of release ${version}, ${options.memoryMiB} MiB each`);
  try {
    return await withCluster(
      {...options, image, sectorBytes, diskBytes: DISK_BYTES, folder, signal},
      async (cluster) => {
        let isEnding = false;
        for (const {plan, machine} of cluster.members)
          void machine.ended.then(() => isEnding || signal.aborted || say(`${plan.name} is off`));
        const observer = createObserver({cluster, http, now: () => Date.now()});
        const control = await serveControl({
          ...{cluster, observer, directory, say},
          socket: join(runtime.path, 'control'),
          onDown: () => down.abort(new ClusterError('stopped', 'stopped by caisson cluster down')),
        });
        try {
          await bootCluster(cluster, {...options, signal});
          await waitForEtcd(cluster.members, http, signal);
          say('etcd is healthy on all members');
          return await use({cluster, observer, http, signal});
        } finally {
          isEnding = true;
          await control.close();
        }
      },
    );
  } finally {
    await http.close();
    await runtime.remove();
    await rm(folder, {recursive: true, force: true});
  }
}

/** What a watcher has to know of a member. */
export type WatchableMember = Pick<Member, 'plan' | 'etcdUrl'>;

/** A client for one member each, as the machine that runs the cluster reaches them. */
export function memberClients(
  members: readonly WatchableMember[],
  http: HttpExchange,
  attemptTimeoutMs: number,
): {name: string; etcd: EtcdClient}[] {
  return members.map(({plan, etcdUrl}) => ({
    name: plan.name,
    etcd: createEtcdClient({endpoints: [etcdUrl], http, user: null, attemptTimeoutMs}),
  }));
}

/** Until each member answers a read that takes a majority. */
async function waitForEtcd(
  members: readonly WatchableMember[],
  http: HttpExchange,
  signal: AbortSignal,
): Promise<void> {
  const clients = memberClients(members, http, ASK_EVERY_MS * 5);
  await Promise.all(clients.map((client) => untilHealthy(client, BOOT_DEADLINE_MS, signal)));
}

/** Until this member answers a read that takes a majority. Throws ClusterError. */
export async function untilHealthy(
  {name, etcd}: {name: string; etcd: EtcdClient},
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    try {
      await etcd.range({key: 'health'}, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > until)
        throw new ClusterError('refused', `etcd of ${name} did not become healthy`, {cause: error});
    }
    await sleep(ASK_EVERY_MS, undefined, {signal});
  }
}

/**
 * The real discovery service of etcd (discovery.etcd.io, package etcd-discovery) on this machine, with an etcd of its own
 * to keep its tokens in.
 */
import {createInterface} from 'node:readline';
import {type RunningProcess, start} from '../../platform/exec.ts';
import {discoveryRoot} from './etcd-programs.ts';
import {type EtcdCluster, startEtcd} from './etcd.ts';
import {freePorts} from './free-port.ts';

export interface DiscoveryService {
  /** Base of the addresses that it hands out. */
  readonly url: string;
  /** Where this machine reaches it. */
  readonly localUrl: string;
  /** Asks it for a cluster of so many members; without a number it decides itself. Resolves with the discovery URL. */
  newToken(size?: number): Promise<string>;
  /** What the members wrote under a token: `name=peerURL`, in the order in which they came. */
  members(token: string): Promise<string[]>;
  start(): Promise<void>;
  /** The service goes away, its tokens stay. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

const READY_TIMEOUT_MS = 180_000;

/** `hostForMembers`: the name under which members reach this machine. */
export async function startDiscovery({hostForMembers = '127.0.0.1'} = {}): Promise<DiscoveryService> {
  const root = await discoveryRoot();
  const [port = 0] = await freePorts(1);
  const store: EtcdCluster = await startEtcd({args: ['--enable-v2=true']});
  const [url, localUrl] = [`http://${hostForMembers}:${port}`, `http://127.0.0.1:${port}`];
  let running: RunningProcess | undefined;
  const service: DiscoveryService = {
    url,
    localUrl,
    async newToken(size) {
      return ask(`${localUrl}/new${size === undefined ? '' : `?size=${size}`}`);
    },
    async members(token) {
      const {node} = JSON.parse(await ask(token.replace(url, localUrl))) as RegistryAnswer;
      return [...(node?.nodes ?? [])]
        .sort((a, b) => a.createdIndex - b.createdIndex)
        .flatMap(({value}) => value ?? []);
    },
    async start() {
      if (running !== undefined) return;
      const process = start([
        ...['unshare', '--map-root-user', `--root=${root}`],
        // Its own root has no /lib64, so the loader is called by name.
        ...['/usr/lib64/ld-linux-x86-64.so.2', '/usr/bin/discovery.etcd.io'],
        ...[`--etcd=${store.endpoints[0]}`, `--host=${url}`, `--addr=127.0.0.1:${port}`],
      ] as const);
      running = process;
      const failed = process.ended.then(({exitCode, stderr}) => {
        if (running === process) running = undefined;
        throw new Error(`the discovery service ended with ${exitCode}: ${stderr}`);
      });
      failed.catch(() => undefined);
      createInterface({input: process.stdout}).on('line', () => undefined);
      await Promise.race([failed, untilServing(localUrl)]);
    },
    async stop() {
      const process = running;
      running = undefined;
      process?.kill('SIGKILL');
      await process?.ended;
    },
    async close() {
      await service.stop();
      await store.stop();
    },
  };
  try {
    await service.start();
  } catch (error) {
    await service.close();
    throw error;
  }
  return service;
}

interface RegistryAnswer {
  readonly node?: {readonly nodes?: readonly {readonly value?: string; readonly createdIndex: number}[]};
}

async function ask(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return text;
}

/** `/health` writes to its etcd and takes that back. */
async function untilServing(url: string): Promise<void> {
  const until = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      await ask(`${url}/health`);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * Real etcd members as processes of this machine, on loopback, in a folder of their own. They end with `stop`, and with
 * this process.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {exec, type RunningProcess, start} from '../../platform/exec.ts';
import {type EtcdPrograms, etcdPrograms} from './etcd-programs.ts';
import {freePorts} from './free-port.ts';

export interface EtcdFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface ClusterOptions {
  readonly members?: number;
  /** Client addresses speak TLS, with these files. */
  readonly tls?: EtcdFiles;
  /** Clients must show a certificate of the CA. */
  readonly wantsClientCertificates?: boolean;
  /** More arguments, such as `--quota-backend-bytes=...`. */
  readonly args?: readonly string[];
  /** The address under which others find a member, when it is not the one where it listens. */
  readonly peerAddress?: (index: number, port: number) => Promise<number>;
}

export interface EtcdMemberProcess {
  readonly clientUrl: string;
  readonly clientPort: number;
  readonly isRunning: boolean;
  /** Resolves when it serves clients. */
  start(): Promise<void>;
  /** SIGKILL: as when a machine dies. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMemberProcess[];
  readonly endpoints: readonly string[];
  /** Runs etcdctl against all members, with more arguments for TLS or users. */
  etcdctl(...args: readonly string[]): Promise<string>;
  /** Kills all members and removes their data. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 180_000;
const LAST_LINES = 50;

/** Starts the members and waits until all of them serve. */
export async function startEtcd(options: ClusterOptions = {}): Promise<EtcdCluster> {
  const programs = await etcdPrograms();
  const folder = await mkdtemp(join(tmpdir(), 'etcd-'));
  const count = options.members ?? 1;
  const ports = await freePorts(count * 2);
  const peers: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const port = ports[count + index] ?? 0;
    const seen = (await options.peerAddress?.(index, port)) ?? port;
    peers.push(`http://127.0.0.1:${seen}`);
  }
  const scheme = options.tls === undefined ? 'http' : 'https';
  const members = peers.map((peer, index) => {
    const client = `${scheme}://127.0.0.1:${ports[index]}`;
    return createMember(programs, ports[index] ?? 0, client, [
      `--name=m${index}`,
      `--data-dir=${join(folder, `m${index}`)}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=http://127.0.0.1:${ports[count + index]}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${peers.map((each, number) => `m${number}=${each}`).join(',')}`,
      `--initial-cluster-token=${folder}`,
      '--log-outputs=stdout',
      ...tlsArguments(options),
      ...(options.args ?? []),
    ]);
  });
  const cluster: EtcdCluster = {
    members,
    endpoints: members.map(({clientUrl}) => clientUrl),
    async etcdctl(...args) {
      const {tls} = options;
      const trust = tls === undefined ? [] : [`--cacert=${tls.ca}`, `--cert=${tls.cert}`, `--key=${tls.key}`];
      const urls = members.map(({clientUrl}) => clientUrl).join(',');
      const {stdout} = await exec([programs.etcdctl, `--endpoints=${urls}`, ...trust, ...args], {
        env: {ETCDCTL_API: '3'},
        timeoutMs: 60_000,
      });
      return stdout;
    },
    async stop() {
      await Promise.all(members.map((member) => member.kill()));
      await rm(folder, {recursive: true, force: true});
    },
  };
  try {
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

function tlsArguments({tls, wantsClientCertificates}: ClusterOptions): string[] {
  if (tls === undefined) return [];
  return [
    `--cert-file=${tls.cert}`,
    `--key-file=${tls.key}`,
    `--trusted-ca-file=${tls.ca}`,
    ...(wantsClientCertificates === true ? ['--client-cert-auth'] : []),
  ];
}

function createMember(
  {etcd}: EtcdPrograms,
  clientPort: number,
  clientUrl: string,
  args: readonly string[],
): EtcdMemberProcess {
  let running: RunningProcess | undefined;
  return {
    clientUrl,
    clientPort,
    get isRunning() {
      return running !== undefined;
    },
    async start() {
      if (running !== undefined) return;
      // What etcd reads from its environment is not meant for this one.
      const process = start([etcd, ...args], {env: {GOMAXPROCS: '2'}});
      running = process;
      const lines: string[] = [];
      const isReady = new Promise<void>((resolve) => {
        createInterface({input: process.stdout}).on('line', (line) => {
          lines.push(line);
          if (lines.length > LAST_LINES) lines.shift();
          if (line.includes('serving client traffic') || line.includes('ready to serve client requests'))
            resolve();
        });
      });
      const hasEnded = process.ended.then(({exitCode, stderr}) => {
        if (running === process) running = undefined;
        throw new Error(`etcd ended with ${exitCode}: ${stderr}\n${lines.join('\n')}`);
      });
      const late = new AbortController();
      const tooLate = new Promise<never>((_, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`etcd does not get ready:\n${lines.join('\n')}`)),
          READY_TIMEOUT_MS,
        );
        late.signal.addEventListener('abort', () => clearTimeout(timer));
      });
      try {
        await Promise.race([isReady, hasEnded, tooLate]);
      } finally {
        late.abort();
        hasEnded.catch(() => undefined);
      }
    },
    async kill() {
      const process = running;
      running = undefined;
      process?.kill('SIGKILL');
      await process?.ended;
    },
  };
}

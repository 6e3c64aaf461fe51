/**
 * etcd as a host runs it, without the host: the variables of the unit and of the drop-in that caisson-cloudinit makes of a
 * cloud-config, in the order in which systemd has them, and the release's etcd with nothing else.
 *
 * Hosts differ by address: all of 127.0.0.0/8 is this machine, so each has its own, with the real ports.
 */
import {randomBytes, randomInt} from 'node:crypto';
import {mkdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {ROOT_DIR} from '../../cli/paths.ts';
import {parseCloudConfig} from '../../formats/cloud-config/parse.ts';
import {planConfig} from '../../formats/cloud-config/plan.ts';
import type {Addresses} from '../../formats/cloud-config/substitute.ts';
import {type Argv, type RunningProcess, exec, start} from '../../platform/exec.ts';
import {etcdPrograms} from './etcd-programs.ts';

const UNIT = 'overlays/os/usr/lib/systemd/system/etcd.service';
const DROP_IN = '/etc/systemd/system/etcd.service.d/20-cloudinit.conf';
/** As systemd does it: ExecStartPre=, and what that leaves in the file of EnvironmentFile=. */
const REJOIN = [
  `"$0" --import "${ROOT_DIR}/node_modules/tsx/dist/loader.mjs" "${ROOT_DIR}/update-engine/etcd-discovery/main.ts"`,
  'if [ -e "$RUNTIME_DIRECTORY/discovered.env" ]; then set -a; . "$RUNTIME_DIRECTORY/discovered.env"; fi',
  'exec "$@"',
].join('\n');
const LINE_TIMEOUT_MS = 120_000;
const CLIENT_PORT = 2379;

export interface EtcdHostOptions {
  /** Of 127.0.0.0/8. */
  readonly address: string;
  /** A cloud-config, if the host has one. */
  readonly config?: string;
  /** For the data directory. */
  readonly folder: string;
  /** As lines of /etc/caisson/etcd.env: stronger than what the config says. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Runs what the drop-in has run before etcd, which finds a lost registration again; default false. */
  readonly rejoins?: boolean;
  /** Put before the command, to run it in namespaces. */
  readonly within?: readonly string[];
}

export interface EtcdHost {
  readonly machineId: string;
  readonly address: string;
  /** What etcd is given. */
  readonly environment: ReadonlyMap<string, string>;
  /** Of all its starts. */
  readonly journal: string;
  /** Starts etcd and does not wait for it. */
  start(): void;
  /** Waits for a line of its journal since its last start. Throws when etcd ends before, or after two minutes. */
  says(pattern: RegExp): Promise<string>;
  /** Waits until it serves clients. */
  ready(): Promise<void>;
  /** Waits until it has ended by itself; its exit code. */
  ended(): Promise<number | undefined>;
  kill(): Promise<void>;
  etcdctl(...words: readonly string[]): Promise<string>;
}

/** Addresses of this machine that no other test has. */
export function loopbackAddresses(count: number): string[] {
  const network = `127.${randomInt(16, 255)}.${randomInt(1, 255)}`;
  return Array.from({length: count}, (_, index) => `${network}.${index + 11}`);
}

export async function createEtcdHost(options: EtcdHostOptions): Promise<EtcdHost> {
  const {address, folder, within = []} = options;
  const {etcd, etcdctl} = await etcdPrograms();
  const machineId = randomBytes(16).toString('hex');
  const runtime = join(folder, `${machineId}.run`);
  await mkdir(runtime, {recursive: true});
  const environment = new Map([
    ...unitVariables(await readFile(join(ROOT_DIR, UNIT), 'utf8'), machineId),
    ...(options.config === undefined ? [] : dropInVariables(options.config, address)),
    // Where hosts have a loopback each, these have one together.
    ['ETCD_LISTEN_CLIENT_URLS', `http://${address}:${CLIENT_PORT}`],
    ['ETCD_ADVERTISE_CLIENT_URLS', `http://${address}:${CLIENT_PORT}`],
    ...Object.entries(options.settings ?? {}),
    ['ETCD_DATA_DIR', join(folder, machineId)],
  ] as const);
  const lines: string[] = [];
  let startedAt = 0;
  let running: RunningProcess | undefined;
  let last: RunningProcess | undefined;
  const heard = new EventTarget();
  const host: EtcdHost = {
    machineId,
    address,
    environment,
    get journal() {
      return lines.join('\n');
    },
    start() {
      if (running !== undefined) return;
      startedAt = lines.length;
      const before = options.rejoins === true ? ['sh', '-c', REJOIN, process.execPath] : [];
      const child = start([...within, ...before, etcd] as unknown as Argv, {
        env: {
          ...noEtcdVariables(),
          ...Object.fromEntries(environment),
          ETCD_LOG_OUTPUTS: 'stdout',
          RUNTIME_DIRECTORY: runtime,
        },
      });
      running = child;
      last = child;
      createInterface({input: child.stdout}).on('line', (line) => {
        if (line.includes('recognized and used environment variable')) return;
        lines.push(line);
        heard.dispatchEvent(new Event('line'));
      });
      void child.ended.then(({stderr}) => {
        if (running === child) running = undefined;
        // Before it has read its settings, and when it panics.
        lines.push(
          ...stderr.split('\n').filter((line) => line !== '' && !line.includes('recognized and used')),
        );
        heard.dispatchEvent(new Event('end'));
      });
    },
    says(pattern) {
      return new Promise((resolve, reject) => {
        const stop = (): void => {
          clearTimeout(timer);
          heard.removeEventListener('line', look);
          heard.removeEventListener('end', look);
        };
        const fail = (why: string): void => {
          stop();
          reject(new Error(`${address}: ${why} before it said ${String(pattern)}:\n${host.journal}`));
        };
        const timer = setTimeout(() => fail('two minutes passed'), LINE_TIMEOUT_MS);
        const look = (): void => {
          const found = lines.slice(startedAt).find((line) => pattern.test(line));
          if (found !== undefined) {
            stop();
            resolve(found);
          } else if (running === undefined) fail('etcd ended');
        };
        heard.addEventListener('line', look);
        heard.addEventListener('end', look);
        look();
      });
    },
    async ready() {
      await host.says(/ready to serve client requests|serving client traffic/);
    },
    async ended() {
      return (await last?.ended)?.exitCode;
    },
    async kill() {
      const child = running;
      running = undefined;
      child?.kill('SIGKILL');
      await child?.ended;
    },
    async etcdctl(...words) {
      const url = `http://${address}:${CLIENT_PORT}`;
      const argv = [...within, etcdctl, `--endpoints=${url}`, '--command-timeout=30s', ...words];
      return (await exec(argv as unknown as Argv, {env: {ETCDCTL_API: '3'}})).stdout;
    },
  };
  return host;
}

/** `Environment=NAME=VALUE`, without the quotes that this unit does not need; `%m` is the machine id (systemd.unit(5)). */
function unitVariables(unit: string, machineId: string): [string, string][] {
  return [...unit.matchAll(/^Environment=([A-Z0-9_]+)=(\S+)$/gm)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll('%m', machineId),
  ]);
}

/** The drop-in's own form: one quoted word on each line. */
function dropInVariables(text: string, address: string): [string, string][] {
  const addresses: Addresses = {
    public_ipv4: address,
    private_ipv4: address,
    public_ipv6: null,
    private_ipv6: null,
  };
  const {config, findings} = parseCloudConfig(text, addresses);
  const errors = findings.filter(({kind}) => kind === 'error');
  if (errors.length > 0) throw new Error(`the config has errors: ${JSON.stringify(errors)}`);
  const {files} = planConfig(config, {addresses, hostname: 'host', mentionsEnvironment: false});
  const file = files.find(({path}) => path === DROP_IN);
  if (file === undefined) throw new Error('the config says nothing about etcd');
  return [
    ...Buffer.from(file.content)
      .toString()
      .matchAll(/^Environment="([A-Z0-9_]+)=(.*)"$/gm),
  ].map(([, name = '', value = '']) => [
    name,
    value.replaceAll('%%', '%').replaceAll(/\\(.)/g, (_, char: string) => char),
  ]);
}

/** Those of this process are not meant for the host. */
function noEtcdVariables(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => name.startsWith('ETCD_'));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

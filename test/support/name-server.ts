/**
 * A network with nothing but a loopback and a real name server (dnsmasq), in namespaces of its own: names are looked up at
 * port 53 of the machine's one resolv.conf, which a test must not touch. Needs unshare, nsenter, ip and dnsmasq.
 */
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Argv, exec, start} from '../../platform/exec.ts';

export interface NameServer {
  /** Put before a command, runs it in that network. */
  readonly within: readonly string[];
  close(): Promise<void>;
}

export interface Zone {
  readonly hosts: Readonly<Record<string, string>>;
  /** Names of services, such as `_etcd-server._tcp.example.com`, to `host:port`. */
  readonly services: Readonly<Record<string, readonly string[]>>;
}

const START_DEADLINE_MS = 180_000;
/** getaddrinfo(3) looks for no IPv4 address where there is none but that of the loopback. */
const SCRIPT = [
  'ip link set lo up',
  'ip address add 192.0.2.1/32 dev lo',
  'mount --bind "$0" /etc/resolv.conf',
  'exec dnsmasq "$@"',
].join(' && ');

export async function startNameServer({hosts, services}: Zone): Promise<NameServer> {
  const folder = await mkdtemp(join(tmpdir(), 'names-'));
  const resolvConf = join(folder, 'resolv.conf');
  await writeFile(resolvConf, 'nameserver 127.0.0.1\n');
  const records = [
    ...Object.entries(hosts).map(([name, address]) => `--host-record=${name},${address}`),
    ...Object.entries(services).flatMap(([service, targets]) =>
      targets.map((target) => `--srv-host=${service},${target.replace(':', ',')}`),
    ),
  ];
  const process = start([
    ...(['unshare', '--map-root-user', '--net', '--mount', 'sh', '-c', SCRIPT, resolvConf] as const),
    ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--listen-address=127.0.0.1'],
    ...['--bind-interfaces', ...records],
  ]);
  let failure: string | undefined;
  void process.ended.then(
    ({exitCode, stderr}) => (failure = `the name server ended with ${exitCode}: ${stderr}`),
  );
  const within = [
    'nsenter',
    `--target=${process.pid}`,
    '--user',
    '--preserve-credentials',
    '--net',
    '--mount',
  ];
  const server: NameServer = {
    within,
    async close() {
      process.kill('SIGKILL');
      await process.ended;
      await rm(folder, {recursive: true, force: true});
    },
  };
  const [name = 'localhost'] = Object.keys(hosts);
  const until = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const {exitCode} = await exec([...within, 'getent', 'ahostsv4', name] as unknown as Argv, {
      okCodes: [0, 1, 2],
    });
    if (exitCode === 0) return server;
    if (failure !== undefined || performance.now() > until) {
      await server.close();
      throw new Error(failure ?? `the name server does not know ${name}`);
    }
    await sleep(100);
  }
}

/**
 * What makes a host a member: its files, as data. An operator of real hosts would write the same ones.
 *
 * Everything lies in /etc on ROOT, so that it is still there after an update and after a rollback.
 */
import {QemuError} from '../errors.ts';
import {type MemberPlan, NETWORK_PREFIX_BITS} from './plan.ts';

export interface SetupFile {
  path: string;
  /** Ends with a newline. */
  text: string;
}

export interface MemberSetup {
  self: MemberPlan;
  members: readonly MemberPlan[];
  /** Lines of /etc/caisson/update.conf. */
  updateSettings: Readonly<Record<string, string>>;
}

export const ETCD_CLIENT_PORT = 2379;
const ETCD_PEER_PORT = 2380;

/**
 * Ten times etcd's own. Emulated machines that share processors stand still for seconds at times, and a cluster that
 * elects leaders for that shows nothing about updates. The election takes ten heartbeats, as etcd advises.
 */
const HEARTBEAT_MS = 1000;
const ELECTION_MS = 10_000;

export function memberFiles({self, members, updateSettings}: MemberSetup): SetupFile[] {
  return [
    {path: '/etc/hostname', text: `${self.name}\n`},
    {path: '/etc/hosts', text: hostsFile(members)},
    {path: '/etc/systemd/network/10-cluster.network', text: networkFile(self)},
    {path: '/etc/caisson/etcd.env', text: assignments(etcdSettings(self, members))},
    {path: '/etc/caisson/update.conf', text: assignments(updateSettings)},
  ];
}

/** The variables of etcd for a cluster whose members know each other from the start (etcd's "static" bootstrap). */
export function etcdSettings(self: MemberPlan, members: readonly MemberPlan[]): Record<string, string> {
  const peerUrl = ({address}: MemberPlan): string => `http://${address}:${ETCD_PEER_PORT}`;
  return {
    ETCD_NAME: self.name,
    ETCD_LISTEN_PEER_URLS: peerUrl(self),
    ETCD_INITIAL_ADVERTISE_PEER_URLS: peerUrl(self),
    // All addresses: the machine that runs the cluster comes in by a forward on the other card, from loopback only.
    ETCD_LISTEN_CLIENT_URLS: `http://0.0.0.0:${ETCD_CLIENT_PORT}`,
    ETCD_ADVERTISE_CLIENT_URLS: `http://${self.address}:${ETCD_CLIENT_PORT}`,
    ETCD_INITIAL_CLUSTER: members.map((member) => `${member.name}=${peerUrl(member)}`).join(','),
    ETCD_INITIAL_CLUSTER_TOKEN: 'caisson-cluster',
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_HEARTBEAT_INTERVAL: String(HEARTBEAT_MS),
    ETCD_ELECTION_TIMEOUT: String(ELECTION_MS),
  };
}

/** A program for `sh` that writes the files, each whole. */
export function setupScript(files: readonly SetupFile[]): string {
  return files.map(({path, text}) => writeCommand(path, text)).join('');
}

const END = 'END-OF-FILE';

function writeCommand(path: string, text: string): string {
  if (!/^\/[\w./-]+$/.test(path)) throw new QemuError('bad-spec', `a member gets no file ${path}`);
  if (!text.endsWith('\n') || text.split('\n').includes(END))
    throw new QemuError('bad-spec', `${path} must end with a newline and have no line ${END}`);
  return `install -D -m 0644 /dev/stdin ${path} <<'${END}'\n${text}${END}\n`;
}

function networkFile({mac, address}: MemberPlan): string {
  return [
    '# The network of the cluster; the other card has the way out.',
    '[Match]',
    `MACAddress=${mac}`,
    '',
    '[Link]',
    // A host whose cluster is away shall come up all the same, and say so.
    'RequiredForOnline=no',
    '',
    '[Network]',
    `Address=${address}/${NETWORK_PREFIX_BITS}`,
    'LinkLocalAddressing=no',
    'IPv6AcceptRA=no',
    '',
  ].join('\n');
}

function hostsFile(members: readonly MemberPlan[]): string {
  return [
    '127.0.0.1 localhost',
    '::1 localhost',
    ...members.map(({address, name}) => `${address} ${name}`),
    '',
  ].join('\n');
}

function assignments(values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(([key, value]) => {
    if (!/^[A-Z][A-Z0-9_]*$/.test(key) || /[\r\n]/.test(value))
      throw new QemuError('bad-spec', `${key}=${JSON.stringify(value)} is no setting of one line`);
    return `${key}=${value}\n`;
  });
  return lines.join('');
}

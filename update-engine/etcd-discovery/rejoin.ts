/**
 * Brings a member back that registered with a discovery service and ended before its cluster was formed: a power cut, a
 * restart. etcd takes it for another that has the same name, and refuses to start. It is told the members instead, as
 * soon as all are there, and with the token that makes it the member which the others wait for.
 *
 * Not done by registering anew: the others count registrations, and would wait for one that never comes.
 */
import {
  MAX_REGISTRY_BYTES,
  parseRegistry,
  parseRegistrySize,
  registrationOf,
  standingOf,
} from '../../formats/etcd-discovery.ts';
import {posixQuote} from '../../formats/environment-lines.ts';

/** etcd's own variables, as its unit has them. */
export type EtcdEnvironment = Readonly<Record<string, string | undefined>>;

export interface RejoinWorld {
  readonly getText: (url: string, maxBytes: number) => Promise<string>;
  /** Whether the directory is there and has something in it. */
  readonly hasEntries: (directory: string) => Promise<boolean>;
  readonly sleep: (ms: number) => Promise<void>;
  readonly say: (text: string) => void;
}

const ASK_EVERY_MS = 5_000;

/** Whether etcd starts for the first time: no member that has begun, and no proxy. Neither asks who the members are. */
export async function isFirstStart(
  env: EtcdEnvironment,
  {hasEntries}: Pick<RejoinWorld, 'hasEntries'>,
): Promise<boolean> {
  const {ETCD_DATA_DIR: data = '', ETCD_WAL_DIR: wal = `${data}/member/wal`} = env;
  if (data === '') return false;
  for (const directory of [wal, `${data}/proxy`]) if (await hasEntries(directory)) return false;
  return true;
}

/**
 * For a first start: lines for etcd's environment, or null where it does everything by itself. Throws when the service does
 * not answer.
 */
export async function rejoinSettings(
  env: EtcdEnvironment,
  world: Omit<RejoinWorld, 'hasEntries'>,
): Promise<string | null> {
  const {ETCD_DISCOVERY: token = '', ETCD_NAME: name = ''} = env;
  const peerUrls = env['ETCD_INITIAL_ADVERTISE_PEER_URLS'] ?? '';
  if (token === '' || name === '' || peerUrls === '') return null;

  const own = registrationOf(name, peerUrls);
  let said = '';
  for (;;) {
    const registrations = parseRegistry(await world.getText(token, MAX_REGISTRY_BYTES), token);
    const sizeUrl = `${token.replace(/\/+$/, '')}/_config/size`;
    const size = parseRegistrySize(await world.getText(sizeUrl, MAX_REGISTRY_BYTES), sizeUrl);
    const standing = standingOf(registrations, size, own);
    switch (standing.kind) {
      case 'not-registered':
      case 'not-among-the-first':
        return null;
      case 'complete':
        world.say(
          `this host registered before at ${token}; all ${size} members are there: ${standing.initialCluster}`,
        );
        return settings(token, standing.initialCluster);
      case 'waiting': {
        const text = `this host registered before at ${token}; ${standing.here} of ${size} members are there`;
        if (text !== said) world.say(text);
        said = text;
        await world.sleep(ASK_EVERY_MS);
      }
    }
  }
}

/** etcd makes the ids of cluster and members from the token, which with a discovery URL is that URL. */
function settings(token: string, initialCluster: string): string {
  return [
    'ETCD_DISCOVERY=',
    `ETCD_INITIAL_CLUSTER=${posixQuote(initialCluster)}`,
    `ETCD_INITIAL_CLUSTER_TOKEN=${posixQuote(token)}`,
    'ETCD_INITIAL_CLUSTER_STATE=new',
    '',
  ].join('\n');
}

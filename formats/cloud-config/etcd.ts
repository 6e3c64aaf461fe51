/**
 * `coreos.etcd`, `coreos.etcd2` and `coreos.etcd3` as variables of the one etcd that there is. A setting that the etcd
 * of today does not know is translated; where nothing takes its place that is said, and where a cluster would come out
 * other than meant it is an error that names the replacement.
 */
import type {YamlEntry} from '../yaml.ts';
import {ETCD_SETTINGS, ETCD_SWITCHES, OLD_ETCD_SETTINGS} from './etcd-names.ts';
import {type Reader, show} from './reader.ts';
import {settingText} from './settings.ts';
import type {DaemonSettings} from './types.ts';

export const ETCD_UNIT = 'etcd.service';

const SECTIONS = ['etcd', 'etcd2', 'etcd3'] as const;
type Section = (typeof SECTIONS)[number];

/** Any of them says which members there are, or where to ask. */
const CLUSTER_SETTINGS = ['discovery', 'discovery_srv', 'initial_cluster'];

/** Null when the config has none of the sections. With several, the later one in this list wins. */
export function readEtcd(
  reader: Reader,
  sections: Readonly<Record<Section, YamlEntry | undefined>>,
): DaemonSettings | null {
  const values = new Map<string, string>();
  const present = SECTIONS.filter((section) => sections[section] !== undefined);
  if (present.length === 0) return null;
  for (const section of present) {
    const settings = readSection(reader, sections[section], `coreos.${section}`);
    for (const [key, value] of settings) values.set(key, value);
  }
  // Tools of the time of these two speak etcd's v2 API, which 3.5 has switched off.
  const isOld = present.includes('etcd') || present.includes('etcd2');
  if (isOld && !values.has('enable_v2')) values.set('enable_v2', 'true');
  // Either alone is an error to etcd.
  const client = values.get('advertise_client_urls');
  if (values.has('listen_client_urls') && client === undefined)
    values.set('advertise_client_urls', values.get('listen_client_urls') ?? '');
  const bootstraps = CLUSTER_SETTINGS.filter((key) => values.has(key));
  if (bootstraps.length > 1) {
    const place = sections[present.at(-1) ?? 'etcd']?.keyPlace;
    const names = bootstraps.map((key) => key.replaceAll('_', '-')).join(', ');
    // etcd would refuse to start.
    if (place !== undefined)
      reader.error(place, `etcd can have only one of ${names}: each names the members`);
  }
  // For a host beyond the size of the cluster etcd becomes a proxy, which asks members where they serve clients. When
  // that is their own loopback it would ask itself, for ever.
  if (values.has('discovery') && !values.has('discovery_fallback') && servesOnLoopback(values))
    values.set('discovery_fallback', 'exit');
  return {
    unit: ETCD_UNIT,
    variables: new Map([...values].map(([key, value]) => [`ETCD_${key.toUpperCase()}`, value])),
    wantsPeerAddress:
      CLUSTER_SETTINGS.some((key) => values.has(key)) && !values.has('initial_advertise_peer_urls'),
  };
}

function readSection(
  reader: Reader,
  entry: YamlEntry | undefined,
  path: string,
): ReadonlyMap<string, string> {
  const known = [...ETCD_SETTINGS, ...Object.keys(OLD_ETCD_SETTINGS), ...experimental(entry)];
  const fields = reader.map(entry?.value, path, known);
  const values = new Map<string, string>();
  const old = new Map<string, string>();
  for (const {key, entry: setting} of fields?.entries ?? []) {
    const value = settingText(reader, setting, `${path}.${key}`, isSwitch(key));
    if (value === null) continue;
    const fate = Object.hasOwn(OLD_ETCD_SETTINGS, key) ? OLD_ETCD_SETTINGS[key] : undefined;
    const place = setting.keyPlace;
    switch (fate?.kind) {
      case undefined:
        if (key === 'discovery' && !isWebAddress(value))
          reader.error(
            setting.value.place,
            `${path}.discovery: ${show(value)} does not begin with http:// or https://`,
          );
        else values.set(key, value);
        break;
      case 'renamed':
        old.set(fate.to, value);
        break;
      case 'log-level':
        if (value === 'true') old.set('log_level', 'debug');
        break;
      case 'address':
        if (isAddress(value)) old.set(key, value);
        else reader.error(setting.value.place, `${path}.${key}: ${show(value)} is not host:port`);
        break;
      case 'gone':
        reader.warn(place, `${path}.${key} has no effect with etcd 3.5: ${fate.why}`);
        break;
      case 'refused':
        reader.error(place, `${path}.${key} is no more in etcd 3.5: use ${fate.instead}`);
    }
  }
  return new Map([...translateAddresses(old, values), ...values]);
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text);
}

function servesOnLoopback(values: ReadonlyMap<string, string>): boolean {
  const urls = values.get('advertise_client_urls')?.split(',') ?? [];
  return urls.every((url) => /^\s*https?:\/\/(localhost|127\.[\d.]+|\[::1\])(:|\/|\s*$)/i.test(url));
}

function isSwitch(key: string): boolean {
  return ETCD_SWITCHES.has(key) || key.startsWith('experimental_');
}

/** etcd lets one try what is new under names that come and go. */
function experimental(entry: YamlEntry | undefined): string[] {
  if (entry?.value.kind !== 'map') return [];
  return entry.value.entries
    .map(({key}) => key.replaceAll('-', '_'))
    .filter((key) => /^experimental_[a-z0-9_]{1,64}$/.test(key));
}

function isAddress(text: string): boolean {
  return /^(\[[0-9A-Fa-f:.]+\]|[^\s:/@,]+):\d{1,5}$/.test(text);
}

/**
 * etcd 0.4 was told `host:port`: the address that others call, and one to listen on if that is another. With a
 * certificate it spoke https. The rest of the old settings is passed on.
 */
function translateAddresses(
  old: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const result = new Map(old);
  const has = (key: string): boolean => values.has(key) || old.has(key);
  const [clientScheme, peerScheme] = ['cert_file', 'peer_cert_file'].map((key) =>
    has(key) ? 'https' : 'http',
  );
  const [addr, bind] = [old.get('addr'), old.get('bind_addr')];
  const [peer, peerBind] = [old.get('peer_addr'), old.get('peer_bind_addr')];
  for (const key of ['addr', 'bind_addr', 'peer_addr', 'peer_bind_addr']) result.delete(key);
  const port = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
  if (addr !== undefined) result.set('advertise_client_urls', `${clientScheme}://${addr}`);
  const listen = bind ?? (addr === undefined ? undefined : `0.0.0.0:${port(addr)}`);
  if (listen !== undefined) result.set('listen_client_urls', `${clientScheme}://${listen}`);
  if (peer !== undefined) result.set('initial_advertise_peer_urls', `${peerScheme}://${peer}`);
  const peerListen = peerBind ?? (peer === undefined ? undefined : `0.0.0.0:${port(peer)}`);
  if (peerListen !== undefined) result.set('listen_peer_urls', `${peerScheme}://${peerListen}`);
  if (old.has('trusted_ca_file') && !has('client_cert_auth')) result.set('client_cert_auth', 'true');
  if (old.has('peer_trusted_ca_file') && !has('peer_client_cert_auth'))
    result.set('peer_client_cert_auth', 'true');
  return result;
}

/** How others reach this member, for a cluster whose config leaves that to the host. etcd listens there, too. */
export function peerAddressVariables(
  address: string,
  variables: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const scheme =
    variables.has('ETCD_PEER_CERT_FILE') || variables.get('ETCD_PEER_AUTO_TLS') === 'true' ? 'https' : 'http';
  const url = `${scheme}://${address.includes(':') ? `[${address}]` : address}:2380`;
  return new Map([
    ['ETCD_INITIAL_ADVERTISE_PEER_URLS', url],
    ...(variables.has('ETCD_LISTEN_PEER_URLS') ? [] : [['ETCD_LISTEN_PEER_URLS', url] as const]),
  ]);
}

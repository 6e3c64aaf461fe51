/**
 * The sections of a cloud-config that set variables of a program: each key is one, in capitals behind a prefix.
 * (etcd's have a file of their own.)
 */
import {parseRebootSettings} from '../reboot-settings.ts';
import {parseUpdateConf} from '../update-conf.ts';
import type {YamlEntry} from '../yaml.ts';
import {type Reader, joinPath} from './reader.ts';
import type {DaemonSettings} from './types.ts';

/** Key to variable. */
type Names = Readonly<Record<string, string>>;

const UPDATE: Names = {group: 'GROUP', server: 'SERVER', reboot_strategy: 'REBOOT_STRATEGY'};
const LOCKSMITH: Names = {
  endpoint: 'LOCKSMITHD_ENDPOINT',
  etcd_cafile: 'LOCKSMITHD_ETCD_CAFILE',
  etcd_certfile: 'LOCKSMITHD_ETCD_CERTFILE',
  etcd_keyfile: 'LOCKSMITHD_ETCD_KEYFILE',
  etcd_username: 'LOCKSMITHD_ETCD_USERNAME',
  etcd_password: 'LOCKSMITHD_ETCD_PASSWORD',
  group: 'LOCKSMITHD_GROUP',
  window_start: 'REBOOT_WINDOW_START',
  window_length: 'REBOOT_WINDOW_LENGTH',
};
const FLEET = named('FLEET_', [
  ...['agent_ttl', 'authorized_keys_file', 'disable_engine', 'engine_reconcile_interval', 'etcd_cafile'],
  ...['etcd_certfile', 'etcd_keyfile', 'etcd_key_prefix', 'etcd_request_timeout', 'etcd_servers'],
  ...['etcd_username', 'etcd_password', 'metadata', 'public_ip', 'token_limit', 'verbosity', 'verify_units'],
]);
const FLANNEL: Names = {
  ...named('FLANNELD_', [
    ...['etcd_endpoints', 'etcd_cafile', 'etcd_certfile', 'etcd_keyfile', 'etcd_prefix', 'etcd_username'],
    ...['etcd_password', 'ip_masq', 'subnet_file', 'public_ip'],
  ]),
  interface: 'FLANNELD_IFACE',
};
const OEM: Names = {
  id: 'ID',
  name: 'NAME',
  version_id: 'VERSION_ID',
  home_url: 'HOME_URL',
  bug_report_url: 'BUG_REPORT_URL',
};

function named(prefix: string, keys: readonly string[]): Names {
  return Object.fromEntries(keys.map((key) => [key, `${prefix}${key.toUpperCase()}`]));
}

/** Of fleet and flannel. */
const SWITCHES = new Set(['disable_engine', 'verify_units', 'ip_masq']);

/**
 * A switch is `true` or `false`, however YAML lets it be written. Anything else is the text that it is: `off` is a
 * strategy of reboots and a mode of etcd's proxy.
 */
export function settingText(
  reader: Reader,
  entry: YamlEntry,
  path: string,
  isSwitch: boolean,
): string | null {
  const {value} = entry;
  if (isSwitch && value.kind === 'scalar' && typeof value.value === 'boolean') return String(value.value);
  return reader.line(entry, path);
}

function readVariables(
  reader: Reader,
  entry: YamlEntry | undefined,
  path: string,
  names: Names,
): Map<string, string> {
  const fields = reader.map(entry?.value, path, Object.keys(names));
  const variables = new Map<string, string>();
  for (const {key, entry: setting} of fields?.entries ?? []) {
    const value = settingText(reader, setting, joinPath(path, key), SWITCHES.has(key));
    const name = names[key];
    if (value !== null && name !== undefined) variables.set(name, value);
  }
  return variables;
}

/** `coreos.update` and `coreos.locksmith`, as lines of update.conf; the update engine does the work of both. */
export function readUpdateConf(
  reader: Reader,
  update: YamlEntry | undefined,
  locksmith: YamlEntry | undefined,
): ReadonlyMap<string, string> {
  const sections = [
    {entry: update, path: 'coreos.update', names: UPDATE},
    {entry: locksmith, path: 'coreos.locksmith', names: LOCKSMITH},
  ];
  const result = new Map<string, string>();
  for (const {entry, path, names} of sections) {
    const variables = readVariables(reader, entry, path, names);
    const {settings, errors} = parseUpdateConf([
      {path, text: [...variables].map(([key, value]) => `${key}=${value}\n`).join('')},
    ]);
    // The engine's own words for what it would refuse; they begin with the line of a file that is not there.
    const words = (text: string): string => text.replace(/^.*?:\d+: /, '');
    const problems = [
      ...errors.map(({text}) => words(text)),
      ...parseRebootSettings(settings.reboot).problems,
    ];
    for (const problem of problems) {
      const [key] = Object.entries(names).find(([, name]) => problem.includes(name)) ?? [];
      const setting =
        key === undefined || entry?.value.kind !== 'map' ? undefined : findKey(entry.value.entries, key);
      const place = setting?.value.place ?? entry?.keyPlace ?? {line: 0, column: 0};
      reader.error(place, `${path}: ${problem}`);
      if (key !== undefined) variables.delete(names[key] ?? '');
    }
    for (const [key, value] of variables) result.set(key, value);
  }
  return result;
}

function findKey(entries: readonly YamlEntry[], key: string): YamlEntry | undefined {
  return entries.find((entry) => entry.key.replaceAll('-', '_') === key);
}

export function readFleet(reader: Reader, entry: YamlEntry | undefined): DaemonSettings | null {
  if (entry === undefined) return null;
  const variables = readVariables(reader, entry, 'coreos.fleet', FLEET);
  return {unit: 'fleet.service', variables, wantsPeerAddress: false};
}

export function readFlannel(reader: Reader, entry: YamlEntry | undefined): ReadonlyMap<string, string> {
  return readVariables(reader, entry, 'coreos.flannel', FLANNEL);
}

export function readOem(reader: Reader, entry: YamlEntry | undefined): ReadonlyMap<string, string> {
  return readVariables(reader, entry, 'coreos.oem', OEM);
}

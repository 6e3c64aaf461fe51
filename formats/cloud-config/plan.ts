/**
 * From a cloud-config to what the host shall be like: places, texts and rights of files. Pure: the same config and facts
 * give the same wishes, and what there is to do about them is for the host to find out.
 */
import {posixQuote, systemdEnvironment} from '../environment-lines.ts';
import {ETCD_UNIT, peerAddressVariables} from './etcd.ts';
import type {Addresses} from './substitute.ts';
import type {CloudConfig, ConfigUnit, DaemonSettings} from './types.ts';
import {currentUnitName} from './unit-names.ts';
import {isNetworkUnit} from './units.ts';
import type {Wanted, WantedAssignments, WantedFile, WantedKeys, WantedUnit} from './wanted.ts';

export interface PlanFacts {
  readonly addresses: Addresses;
  /** The host's name now. */
  readonly hostname: string;
  /** Whether the config speaks of the variables that CoreOS kept in /etc/environment. */
  readonly mentionsEnvironment: boolean;
}

export const CONFIG_PATHS = {
  updateConf: '/etc/caisson/update.conf',
  environment: '/etc/environment',
  hosts: '/etc/hosts',
  oemRelease: '/etc/oem-release',
  flannel: '/run/flannel/options.env',
} as const;

/** The name that coreos-cloudinit gave it: drop-ins of operators that sort after it stay stronger. */
const DROP_IN = '20-cloudinit.conf';
const HEAD = "# Written by caisson-cloudinit from this host's cloud-config. Changes of this file are lost.\n";
const ETCD_HOME = '/var/lib/etcd';
const FIRST_USER = 'core';

export function planConfig(config: CloudConfig, facts: PlanFacts): Wanted {
  const notes: string[] = [];
  const units = config.units.map((unit) => renameUnit(unit, notes));
  return {
    hostname: config.hostname,
    users: config.users,
    keys: planKeys(config),
    files: unique([
      ...config.writeFiles.map(({path, content, mode, owner}) => ({
        path,
        content,
        mode,
        owner: owner ?? 'root:root',
        unit: unitOfPath(path),
      })),
      ...planTexts(config, facts),
      ...config.daemons.map((daemon) => planDaemon(daemon, facts.addresses, notes)),
      ...units.flatMap(planUnitFiles),
    ]),
    assignments: planAssignments(config, facts),
    units: units.map(planUnit),
    notes,
  };
}

/** One of a path: what comes later wins, as the last writer did. */
function unique(files: readonly WantedFile[]): WantedFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

function planKeys({sshAuthorizedKeys, users}: CloudConfig): WantedKeys[] {
  const all = [
    ...(sshAuthorizedKeys.length === 0 ? [] : [{user: FIRST_USER, keys: sshAuthorizedKeys, imports: []}]),
    ...users.map(({name, sshAuthorizedKeys: keys, imports}) => ({user: name, keys, imports})),
  ];
  const byUser = new Map<string, WantedKeys>();
  for (const {user, keys, imports} of all) {
    if (keys.length === 0 && imports.length === 0) continue;
    const known = byUser.get(user);
    byUser.set(user, {
      user,
      keys: [...new Set([...(known?.keys ?? []), ...keys])],
      imports: [...(known?.imports ?? []), ...imports],
    });
  }
  return [...byUser.values()];
}

function planTexts(config: CloudConfig, facts: PlanFacts): WantedFile[] {
  const text = (path: string, content: string): WantedFile => ({
    path,
    content: Buffer.from(content),
    mode: 0o644,
    owner: 'root:root',
    unit: null,
  });
  const lines = (values: ReadonlyMap<string, string>): string =>
    [...values].map(([key, value]) => `${key}=${posixQuote(value)}\n`).join('');
  const name = config.hostname ?? facts.hostname;
  return [
    ...(config.oem.size === 0 ? [] : [text(CONFIG_PATHS.oemRelease, lines(config.oem))]),
    ...(config.managesEtcHosts
      ? [text(CONFIG_PATHS.hosts, `${HEAD}127.0.0.1 localhost ${name}\n::1 localhost ${name}\n`)]
      : []),
    ...(config.flannel.size === 0 ? [] : [text(CONFIG_PATHS.flannel, lines(config.flannel))]),
  ];
}

function planDaemon(daemon: DaemonSettings, addresses: Addresses, notes: string[]): WantedFile {
  const {unit, wantsPeerAddress} = daemon;
  let variables = daemon.variables;
  if (wantsPeerAddress) {
    const address = addresses.private_ipv4 ?? addresses.public_ipv4 ?? addresses.private_ipv6;
    if (address === null)
      notes.push(
        `coreos.etcd names a cluster, but this host has no address for its members to call; set initial_advertise_peer_urls`,
      );
    else variables = new Map([...peerAddressVariables(address, variables), ...variables]);
  }
  const lines = [...variables].map(([key, value]) => `Environment=${systemdEnvironment(key, value)}\n`);
  const own = unit === ETCD_UNIT ? `${waitForMembers(variables)}${dataFolder(variables)}` : '';
  return {
    path: `/etc/systemd/system/${unit}.d/${DROP_IN}`,
    content: Buffer.from(`${HEAD}[Service]\n${lines.join('')}${own}`),
    // Passwords of etcd may be among the variables.
    mode: [...variables.keys()].some((key) => key.endsWith('PASSWORD')) ? 0o600 : 0o644,
    owner: 'root:root',
    unit,
  };
}

/**
 * A member of a new cluster may wait for hosts that are not there yet. One that has registered with a discovery service
 * waits as long as it takes: it cannot register again. When it ends before they have come all the same, a program finds
 * its place again, which also tells the health checks what etcd waits for (update-engine/etcd-discovery/).
 */
function waitForMembers(variables: ReadonlyMap<string, string>): string {
  if (!['ETCD_DISCOVERY', 'ETCD_DISCOVERY_SRV', 'ETCD_INITIAL_CLUSTER'].some((key) => variables.has(key)))
    return '';
  return [
    ...(variables.has('ETCD_DISCOVERY') ? ['TimeoutStartSec=infinity'] : []),
    'RuntimeDirectory=etcd',
    'ExecStartPre=/usr/bin/node /usr/lib/caisson/etcd-discovery.mjs',
    'EnvironmentFile=-/run/etcd/discovered.env',
    '',
  ].join('\n');
}

/** etcd's unit may write its own folder only. */
function dataFolder(variables: ReadonlyMap<string, string>): string {
  return ['ETCD_DATA_DIR', 'ETCD_WAL_DIR']
    .flatMap((key) => variables.get(key) ?? [])
    .filter((path) => /^\/[\w./-]+$/.test(path) && path !== ETCD_HOME && !path.startsWith(`${ETCD_HOME}/`))
    .map(
      (path) =>
        `ExecStartPre=+/usr/bin/install -d -o etcd -g etcd -m 0700 ${path}\nReadWritePaths=-${path}\n`,
    )
    .join('');
}

function renameUnit(unit: ConfigUnit, notes: string[]): ConfigUnit {
  const name = currentUnitName(unit.name);
  // A unit of the config's own may have any name.
  if (name === unit.name || unit.content !== null) return unit;
  notes.push(`${unit.name} is ${name} on this OS`);
  return {...unit, name};
}

function unitFolder({name, runtime}: ConfigUnit): string {
  return `${runtime ? '/run' : '/etc'}/systemd/${isNetworkUnit(name) ? 'network' : 'system'}`;
}

function planUnitFiles(unit: ConfigUnit): WantedFile[] {
  const file = (path: string, content: string): WantedFile => ({
    path,
    content: Buffer.from(content),
    mode: 0o644,
    owner: 'root:root',
    unit: unit.name,
  });
  const folder = unitFolder(unit);
  return [
    ...(unit.content === null ? [] : [file(`${folder}/${unit.name}`, unit.content)]),
    ...unit.dropIns.map(({name, content}) => file(`${folder}/${unit.name}.d/${name}`, content)),
  ];
}

function planUnit({name, mask, enable, runtime, command}: ConfigUnit): WantedUnit {
  return {name, mask, enable, runtime, command};
}

/** The unit that a file of `write_files` belongs to: many configs write drop-ins that way. */
function unitOfPath(path: string): string | null {
  return (
    /^\/(?:etc|run)\/systemd\/(?:system|network)\/([^/]+?\.[a-z]+)(?:\.d\/[^/]+\.conf)?$/.exec(path)?.[1] ??
    null
  );
}

function planAssignments(
  config: CloudConfig,
  {addresses, mentionsEnvironment}: PlanFacts,
): WantedAssignments[] {
  const environment = new Map(
    Object.entries(addresses).flatMap(([name, value]) =>
      value === null ? [] : [[`COREOS_${name.toUpperCase()}`, value] as const],
    ),
  );
  return [
    ...(config.updateConf.size === 0
      ? []
      : [
          {
            path: CONFIG_PATHS.updateConf,
            values: config.updateConf,
            isSecret: config.updateConf.has('LOCKSMITHD_ETCD_PASSWORD'),
          },
        ]),
    ...(mentionsEnvironment && environment.size > 0
      ? [{path: CONFIG_PATHS.environment, values: environment, isSecret: false}]
      : []),
  ];
}

/**
 * A cloud-config as CoreOS had it: text to checked values. The rules are those of coreos-cloudinit (its package
 * config, and the reference that came with it), with every mistake found at once and each with its line.
 *
 * What a mistake costs: text that is no YAML costs everything, because nobody can say what was meant. A value that makes
 * no sense costs the thing it is about. A key that nobody knows costs nothing, as of old; `validate` refuses it.
 */
import {parseYaml} from '../yaml.ts';
import {readEtcd} from './etcd.ts';
import {type Fields, type Reader, createReader, show} from './reader.ts';
import {readFlannel, readFleet, readOem, readUpdateConf} from './settings.ts';
import {type Addresses, substituteAddresses} from './substitute.ts';
import type {CloudConfig, Finding} from './types.ts';
import {readUnits} from './units.ts';
import {readKeys, readUsers} from './users.ts';
import {MAX_USER_DATA_BYTES} from './user-data.ts';
import {readWriteFiles} from './write-files.ts';

const TOP_KEYS = [
  'hostname',
  'ssh_authorized_keys',
  'users',
  'write_files',
  'manage_etc_hosts',
  'coreos',
] as const;
const COREOS_KEYS = [
  'etcd',
  'etcd2',
  'etcd3',
  'fleet',
  'flannel',
  'locksmith',
  'oem',
  'update',
  'units',
] as const;

/** An anchor for a proxy setting in each of some dozen units. */
const MAX_ALIASES = 200;
/** RFC 1123, 2.1; 64 is the kernel's limit (HOST_NAME_MAX). */
const HOSTNAME =
  /^(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

export interface ParsedCloudConfig {
  readonly config: CloudConfig;
  /** In the order of the text. */
  readonly findings: readonly Finding[];
}

/** Throws YamlError for what is no YAML. */
export function parseCloudConfig(source: string, addresses: Addresses): ParsedCloudConfig {
  const {text, missing} = substituteAddresses(source.replace(/^\uFEFF/, ''), addresses);
  const root = parseYaml(text, {
    version: '1.1',
    maxAliases: MAX_ALIASES,
    maxCharacters: 2 * MAX_USER_DATA_BYTES,
  });
  const reader = createReader();
  for (const {name, line, column} of missing)
    reader.error(
      {line, column},
      `this host has no address for $${name}; say \\$${name} if the word itself is meant`,
    );
  const top = reader.map(root ?? undefined, '', TOP_KEYS);
  const coreosEntry = top?.get('coreos');
  const coreos = reader.map(coreosEntry?.value, 'coreos', COREOS_KEYS);
  const etcd = readEtcd(reader, {
    etcd: coreos?.get('etcd'),
    etcd2: coreos?.get('etcd2'),
    etcd3: coreos?.get('etcd3'),
  });
  const fleet = readFleet(reader, coreos?.get('fleet'));
  const config: CloudConfig = {
    hostname: readHostname(reader, top),
    sshAuthorizedKeys: readKeys(reader, top?.get('ssh_authorized_keys'), 'ssh_authorized_keys'),
    users: readUsers(reader, top?.get('users')),
    writeFiles: readWriteFiles(reader, top?.get('write_files')),
    managesEtcHosts: readEtcHosts(reader, top),
    units: readUnits(reader, coreos?.get('units')),
    updateConf: readUpdateConf(reader, coreos?.get('update'), coreos?.get('locksmith')),
    daemons: [etcd, fleet].filter((daemon) => daemon !== null),
    flannel: readFlannel(reader, coreos?.get('flannel')),
    oem: readOem(reader, coreos?.get('oem')),
  };
  const findings = [...reader.findings].sort((a, b) => a.line - b.line || a.column - b.column);
  return {config, findings};
}

type Top = Fields<(typeof TOP_KEYS)[number]> | null;

function readHostname(reader: Reader, top: Top): string | null {
  const entry = top?.get('hostname');
  const text = reader.line(entry, 'hostname');
  if (text === null || entry === undefined || HOSTNAME.test(text)) return text;
  return reader.error(
    entry.value.place,
    `hostname ${show(text)} is no name of a host: letters, digits, - and ., at most 64`,
  );
}

function readEtcHosts(reader: Reader, top: Top): boolean {
  const entry = top?.get('manage_etc_hosts');
  const text = reader.line(entry, 'manage_etc_hosts');
  if (text === null || entry === undefined) return false;
  if (text === 'localhost') return true;
  reader.error(entry.value.place, `manage_etc_hosts is ${show(text)}; the only value is localhost`);
  return false;
}

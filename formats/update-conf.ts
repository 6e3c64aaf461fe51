/**
 * update.conf: how a host follows its updates. KEY=VALUE files in layers, as CoreOS had them: for each key the first
 * file that has it wins, and an empty value counts as one.
 *
 * A key that nobody knows is a warning, because a file from an older host must not stop updates. A value that makes no
 * sense is an error, and then the host errs on the quiet side: it does not ask for updates (or, for the reboot
 * strategy, does not reboot by itself) until someone has put it right; `status` shows the line.
 */
import {KIB} from './units.ts';
import {
  type ChannelMetadataSetting,
  type Reading,
  type ServerSetting,
  readBytesPerSecond,
  readChannelMetadata,
  readFlag,
  readGroup,
  readPath,
  readProxy,
  readServer,
  readStrategy,
  readVersion,
  readVersionPrefix,
  readWord,
} from './update-conf-values.ts';

export interface ConfLayer {
  readonly path: string;
  readonly text: string;
}

export interface ConfFinding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly key: string;
  /** One sentence with file, line, key and value. */
  readonly text: string;
}

export const REBOOT_STRATEGIES = ['reboot', 'etcd-lock', 'best-effort', 'fleet-lock', 'off'] as const;
export type RebootStrategy = (typeof REBOOT_STRATEGIES)[number];

export interface UpdateSettings {
  readonly group: string;
  readonly server: ServerSetting;
  readonly channelMetadata: ChannelMetadataSetting;
  readonly strategy: RebootStrategy;
  /** The beginning of the only versions to install, on a dot boundary: `1`, `1.4`, `1.4.2`; null for any. */
  readonly pin: string | null;
  readonly maxVersion: string | null;
  readonly allowDowngrade: boolean;
  /** Null for no limit. */
  readonly downloadBytesPerSecond: number | null;
  readonly machineAlias: string;
  /** For payloads behind a password; sent over HTTPS only. */
  readonly credentials: {readonly user: string; readonly password: string} | null;
  /** Overrides the proxy variables of the environment; null leaves them. */
  readonly proxy: string | null;
  /** A file with certificates (PEM) that may vouch for an HTTPS server besides the well-known ones. */
  readonly caFile: string | null;
  /** What is about reboots, as it stands: see reboot-settings.ts. */
  readonly reboot: ReadonlyMap<string, string>;
}

export interface UpdateConf {
  readonly settings: UpdateSettings;
  readonly warnings: readonly ConfFinding[];
  readonly errors: readonly ConfFinding[];
}

/** Real files have some dozen lines. */
const MAX_CHARACTERS = 64 * KIB;
const DEFAULT_GROUP = 'stable';
const KEYS = [
  'GROUP',
  'SERVER',
  'REBOOT_STRATEGY',
  'UPDATE_PIN',
  'UPDATE_MAX_VERSION',
  'ALLOW_DOWNGRADE',
  'DOWNLOAD_RATE_LIMIT',
  'DOWNLOAD_USER',
  'DOWNLOAD_PASSWORD',
  'MACHINE_ALIAS',
  'PROXY',
  'SERVER_CA',
  'CHANNEL_METADATA',
] as const;
type Key = (typeof KEYS)[number];
/** What reboot-settings.ts reads. */
const PASSED_THROUGH =
  /^((LOCKSMITHD_)?REBOOT_WINDOW_(START|LENGTH)|LOCKSMITHD_(ENDPOINT|GROUP|ETCD_(CAFILE|CERTFILE|KEYFILE|USERNAME|PASSWORD))|REBOOT_(WINDOWS|WINDOW_ZONE|SESSION_WAIT|HOOK_TIMEOUT|IMAGE_INTERVAL)|FLEET_LOCK_(URL|GROUP))$/;
/** Of hosts of the lineage: known, and of no use here. */
const OBSOLETE = /^((COREOS|FLATCAR)_RELEASE_[A-Z]+|PCR_POLICY_SERVER|LOCKSMITHD_DEBUG)$/;

interface Assignment {
  readonly path: string;
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

/** `layers` from the strongest to the weakest; a file that does not exist is left out. Never throws. */
export function parseUpdateConf(layers: readonly ConfLayer[]): UpdateConf {
  const warnings: ConfFinding[] = [];
  const errors: ConfFinding[] = [];
  const values = new Map<string, Assignment>();
  for (const layer of layers)
    for (const [key, assignment] of readLayer(layer, warnings, errors))
      if (!values.has(key)) values.set(key, assignment);

  /** The value of a key, or the fallback without one or with a bad one, which is reported. */
  function take<T>(key: Key, read: (text: string) => Reading<T>, fallback: T): T {
    const assignment = values.get(key);
    if (assignment === undefined || assignment.value === '') return fallback;
    const reading = read(assignment.value);
    if (reading.kind === 'value') return reading.value;
    errors.push(finding(assignment, `${show(key, assignment.value)} ${reading.problem}`));
    return fallback;
  }

  const strategy = take('REBOOT_STRATEGY', (text) => readStrategy(text, REBOOT_STRATEGIES), undefined);
  const hasBadStrategy = errors.some(({key}) => key === 'REBOOT_STRATEGY');
  const server = take<ServerSetting>('SERVER', readServer, {kind: 'disabled', reason: 'SERVER is not set'});
  const user = take('DOWNLOAD_USER', readWord, '');
  const settings = {
    group: take('GROUP', readGroup, DEFAULT_GROUP),
    strategy: strategy ?? (hasBadStrategy ? 'off' : 'reboot'),
    pin: take('UPDATE_PIN', readVersionPrefix, null),
    maxVersion: take('UPDATE_MAX_VERSION', readVersion, null),
    allowDowngrade: take('ALLOW_DOWNGRADE', readFlag, false),
    downloadBytesPerSecond: take('DOWNLOAD_RATE_LIMIT', readBytesPerSecond, null),
    machineAlias: take('MACHINE_ALIAS', readWord, ''),
    credentials: user === '' ? null : {user, password: take('DOWNLOAD_PASSWORD', readWord, '')},
    proxy: take('PROXY', readProxy, null),
    caFile: take('SERVER_CA', readPath, null),
    channelMetadata: take<ChannelMetadataSetting>('CHANNEL_METADATA', readChannelMetadata, {kind: 'beside'}),
    reboot: new Map(
      [...values.values()].filter(({key}) => PASSED_THROUGH.test(key)).map(({key, value}) => [key, value]),
    ),
  } as const;
  const fatal = errors.find(({key}) => key !== 'REBOOT_STRATEGY');
  return {
    settings: {...settings, server: fatal === undefined ? server : {kind: 'disabled', reason: fatal.text}},
    warnings,
    errors,
  };
}

function readLayer(
  {path, text}: ConfLayer,
  warnings: ConfFinding[],
  errors: ConfFinding[],
): ReadonlyMap<string, Assignment> {
  const values = new Map<string, Assignment>();
  if (text.length > MAX_CHARACTERS) {
    const whole = {path, line: 1, key: ''};
    errors.push(finding(whole, `the file has ${text.length} characters, more than ${MAX_CHARACTERS}`));
    return values;
  }
  for (const [index, raw] of text.split('\n').entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#') || content.startsWith(';')) continue;
    const [, key, value] = /^([A-Za-z_][A-Za-z0-9_]{0,63})=(.*)$/.exec(content) ?? [];
    const at = {path, line: index + 1, key: key ?? ''};
    if (key === undefined || value === undefined) {
      warnings.push(finding(at, `${showLine(content)} is not KEY=VALUE and is passed over`));
      continue;
    }
    if (!isKnown(key)) warnings.push(finding(at, `${key} is no key that this version knows`));
    else if (OBSOLETE.test(key)) warnings.push(finding(at, `${key} has no effect here`));
    if (values.has(key)) warnings.push(finding(at, `${key} is set again; the last one counts`));
    values.set(key, {...at, key, value: unquote(value.trim())});
  }
  return values;
}

function isKnown(key: string): boolean {
  return (KEYS as readonly string[]).includes(key) || PASSED_THROUGH.test(key) || OBSOLETE.test(key);
}

/** One pair of quotes around the whole, of either kind. */
function unquote(value: string): string {
  return /^"[^"]*"$|^'[^']*'$/.test(value) ? value.slice(1, -1) : value;
}

// Findings end up in the journal and in a status that anyone may ask for: a password is in none of them.
function show(key: string, value: string): string {
  return key.endsWith('PASSWORD') ? key : `${key}=${JSON.stringify(value.slice(0, 200))}`;
}

function showLine(line: string): string {
  return /password/i.test(line) ? 'a line about a password' : JSON.stringify(line.slice(0, 80));
}

function finding(at: {path: string; line: number; key: string}, text: string): ConfFinding {
  return {path: at.path, line: at.line, key: at.key, text: `${at.path}:${at.line}: ${text}`};
}

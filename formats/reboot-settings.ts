/**
 * What an operator sets about reboots, in update.conf: windows, the reboot lock, sessions and hooks.
 *
 * A setting that makes no sense stays in the result as what it is, instead of being replaced by a default: the gate
 * that it is for is then closed. A typing error in a window must not mean "at any time".
 */
import {
  quoteAddress,
  readBaseUrl,
  readDuration,
  readEndpoints,
  readFleetLockGroup,
} from './reboot-settings-values.ts';
import {parseLocksmithWindow, parseWindows} from './reboot-window/parse.ts';
import type {RebootWindow} from './reboot-window/window.ts';
import {isZone} from './reboot-window/zone.ts';
import {type Reading, readPath, readWord} from './update-conf-values.ts';

/** How the reboot lock is reached in etcd. */
export interface EtcdSettings {
  /** Base addresses such as `https://10.0.0.1:2379`; the first that answers is used. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly username: string | null;
  readonly password: string | null;
  /** Of hosts that count together; empty for the lineage's one group without a name. */
  readonly group: string;
}

/** How the reboot lock is reached by the protocol of Zincati. */
export interface FleetLockSettings {
  /** Base address, without a slash at its end. */
  readonly url: string;
  readonly group: string;
}

/** Each part is a value, or what is wrong with it as a whole sentence with its key. */
export interface RebootSettings {
  /** Open if one of them is; none at all is open always. */
  readonly windows: Reading<readonly RebootWindow[]>;
  /** How long sessions may hold a reboot up after their first warning; `forever`: as long as they last. */
  readonly sessionWaitMs: Reading<number | 'forever'>;
  /** Of each hook. */
  readonly hookTimeoutMs: Reading<number>;
  /** How long a host that runs from its boot image stays up at least before it restarts for a newer one. */
  readonly imageIntervalMs: Reading<number>;
  readonly etcd: Reading<EtcdSettings>;
  /** Null when no server is named. */
  readonly fleetLock: Reading<FleetLockSettings | null>;
}

export interface ParsedRebootSettings {
  readonly settings: RebootSettings;
  /** The sentences of all parts that are no value. A password is in none of them. */
  readonly problems: readonly string[];
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Five minutes, as locksmith told terminals. */
const DEFAULT_SESSION_WAIT_MS = 5 * MINUTE_MS;
const MAX_SESSION_WAIT_MS = 7 * DAY_MS;
/** To drain a machine takes minutes. */
const DEFAULT_HOOK_TIMEOUT_MS = 5 * MINUTE_MS;
const MAX_HOOK_TIMEOUT_MS = DAY_MS;
const MAX_IMAGE_INTERVAL_MS = 30 * DAY_MS;
/** Without locksmith's second default, port 4001: no etcd has listened there since 2015. */
const DEFAULT_ENDPOINT = 'http://127.0.0.1:2379';
const DEFAULT_FLEET_LOCK_GROUP = 'default';

/** Keys to values as update.conf has them; an empty value is none. Never throws. */
export function parseRebootSettings(values: ReadonlyMap<string, string>): ParsedRebootSettings {
  const get: Get = (key) => {
    const text = values.get(key);
    return text === undefined || text === '' ? null : text;
  };
  const settings = {
    windows: capture(() => readWindows(get)),
    sessionWaitMs: capture(() => readSessionWait(get)),
    hookTimeoutMs: capture(() =>
      take(get, 'REBOOT_HOOK_TIMEOUT', DEFAULT_HOOK_TIMEOUT_MS, (text) =>
        readDuration(text, SECOND_MS, MAX_HOOK_TIMEOUT_MS),
      ),
    ),
    imageIntervalMs: capture(() =>
      take(get, 'REBOOT_IMAGE_INTERVAL', DAY_MS, (text) =>
        readDuration(text, SECOND_MS, MAX_IMAGE_INTERVAL_MS),
      ),
    ),
    etcd: capture(() => readEtcd(get)),
    fleetLock: capture(() => readFleetLock(get)),
  } satisfies RebootSettings;
  return {
    settings,
    problems: Object.values(settings).flatMap((part) => (part.kind === 'bad' ? [part.problem] : [])),
  };
}

type Get = (key: string) => string | null;

/** How a reader leaves when a value makes no sense; never seen outside of this file. */
class BadSetting extends Error {}

function capture<T>(read: () => T): Reading<T> {
  try {
    return {kind: 'value', value: read()};
  } catch (error) {
    if (error instanceof BadSetting) return {kind: 'bad', problem: error.message};
    throw error;
  }
}

function take<T, Fallback>(
  get: Get,
  key: string,
  fallback: Fallback,
  read: (text: string) => Reading<T>,
): T | Fallback {
  const text = get(key);
  if (text === null) return fallback;
  const reading = read(text);
  if (reading.kind === 'value') return reading.value;
  throw new BadSetting(`${show(key, text)} ${reading.problem}`);
}

function show(key: string, text: string): string {
  return key.endsWith('PASSWORD') ? key : `${key}=${quoteAddress(text)}`;
}

function readWindows(get: Get): readonly RebootWindow[] {
  const zone = take(get, 'REBOOT_WINDOW_ZONE', null, (text) =>
    isZone(text)
      ? {kind: 'value', value: text}
      : {kind: 'bad', problem: 'is no time zone that is known, such as Europe/Berlin'},
  );
  // Key by key, as locksmith looks them up: its own name before the general one.
  const [start, length] = (['START', 'LENGTH'] as const).map((name) =>
    [`LOCKSMITHD_REBOOT_WINDOW_${name}`, `REBOOT_WINDOW_${name}`]
      .map((key) => ({key, text: get(key)}))
      .find(({text}) => text !== null),
  );
  const windows = [...take(get, 'REBOOT_WINDOWS', [], parseWindows)];
  if ((start === undefined) !== (length === undefined))
    throw new BadSetting(
      `${(start ?? length)?.key} is set without its ${start === undefined ? 'start' : 'length'}: a window needs both`,
    );
  if (start !== undefined && length !== undefined) {
    const [from, lasts] = [start.text ?? '', length.text ?? ''];
    const window = parseLocksmithWindow(from, lasts);
    if (window.kind === 'bad')
      throw new BadSetting(
        `the window of ${show(start.key, from)} and ${show(length.key, lasts)} ${window.problem}`,
      );
    windows.push(window.value);
  }
  return windows.map((window) => ({...window, zone: window.zone ?? zone}));
}

function readSessionWait(get: Get): number | 'forever' {
  return take<number | 'forever', number>(get, 'REBOOT_SESSION_WAIT', DEFAULT_SESSION_WAIT_MS, (text) =>
    text === 'forever' ? {kind: 'value', value: text} : readDuration(text, 0, MAX_SESSION_WAIT_MS),
  );
}

function readEtcd(get: Get): EtcdSettings {
  const word = (key: string): string | null => take(get, key, null, readWord);
  const path = (key: string): string | null => take(get, key, null, readPath);
  const certFile = path('LOCKSMITHD_ETCD_CERTFILE');
  const keyFile = path('LOCKSMITHD_ETCD_KEYFILE');
  if ((certFile === null) !== (keyFile === null))
    throw new BadSetting(
      'LOCKSMITHD_ETCD_CERTFILE and LOCKSMITHD_ETCD_KEYFILE go together, and one is not set',
    );
  const username = word('LOCKSMITHD_ETCD_USERNAME');
  const password = word('LOCKSMITHD_ETCD_PASSWORD');
  if ((username === null) !== (password === null))
    throw new BadSetting(
      'LOCKSMITHD_ETCD_USERNAME and LOCKSMITHD_ETCD_PASSWORD go together, and one is not set',
    );
  return {
    endpoints: take(get, 'LOCKSMITHD_ENDPOINT', [DEFAULT_ENDPOINT], readEndpoints),
    caFile: path('LOCKSMITHD_ETCD_CAFILE'),
    certFile,
    keyFile,
    username,
    password,
    group: word('LOCKSMITHD_GROUP') ?? '',
  };
}

function readFleetLock(get: Get): FleetLockSettings | null {
  const url = take(get, 'FLEET_LOCK_URL', null, readBaseUrl);
  const group = take(get, 'FLEET_LOCK_GROUP', DEFAULT_FLEET_LOCK_GROUP, readFleetLockGroup);
  return url === null ? null : {url, group};
}

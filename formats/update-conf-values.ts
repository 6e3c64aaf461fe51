/** What the keys of update.conf may be set to, one reader a kind. A reader says what it wanted; it does not throw. */
import {GIB, KIB, MIB} from './units.ts';
import {isVersion} from './version.ts';

export type Reading<T> =
  | {readonly kind: 'value'; readonly value: T}
  /** Continues the sentence "KEY=VALUE ...". */
  | {readonly kind: 'bad'; readonly problem: string};

/** A slower transfer counts as dead (platform/http.ts), so a limit below it would stop updates for good. */
export const MIN_RATE_LIMIT_BYTES = 8 * KIB;
const MAX_WORD_CHARACTERS = 256;

const value = <T>(of: T): Reading<T> => ({kind: 'value', value: of});
const bad = (problem: string): Reading<never> => ({kind: 'bad', problem});

/** Who tells a host of updates: a server that is asked, or a folder of files that is only read. */
export type ServerSetting =
  | {readonly kind: 'url'; readonly url: string}
  /** Ends with `/`: http, https or file. */
  | {readonly kind: 'static'; readonly url: string}
  /** `reason` is for people: why this host asks nobody. */
  | {readonly kind: 'disabled'; readonly reason: string};

/** Before the address of a folder with signed channels. */
export const STATIC_PREFIX = 'static+';

export function readServer(text: string): Reading<ServerSetting> {
  if (text === 'disabled') return value({kind: 'disabled', reason: 'SERVER=disabled'});
  if (text.startsWith(STATIC_PREFIX)) {
    const folder = folderOf(text.slice(STATIC_PREFIX.length));
    return folder === null
      ? bad(`has no http, https or file address of a folder after "${STATIC_PREFIX}"`)
      : value({kind: 'static', url: folder});
  }
  if (!isHttpUrl(text))
    return bad(`is neither an http or https address, nor "${STATIC_PREFIX}" and one, nor "disabled"`);
  return value({kind: 'url', url: text});
}

/** As it is written; null for nobody. */
export function formatServer(server: ServerSetting): string | null {
  if (server.kind === 'disabled') return null;
  return server.kind === 'static' ? `${STATIC_PREFIX}${server.url}` : server.url;
}

/** Where the signed channels of a server lie, if not beside it. */
export type ChannelMetadataSetting =
  {readonly kind: 'beside'} | {readonly kind: 'folder'; readonly url: string} | {readonly kind: 'disabled'};

export function readChannelMetadata(text: string): Reading<ChannelMetadataSetting> {
  if (text === 'disabled') return value({kind: 'disabled'});
  const folder = folderOf(text);
  return folder === null
    ? bad('is neither an http, https or file address of a folder nor "disabled"')
    : value({kind: 'folder', url: folder});
}

/** With `/` at its end; without query and fragment, which no file below it would have. */
function folderOf(text: string): string | null {
  if (!isHttpUrl(text) && !/^file:\/\/\/[^/]/.test(text)) return null;
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '') return null;
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}

export function readProxy(text: string): Reading<string> {
  return isHttpUrl(text) ? value(text) : bad('is no http or https address of a proxy');
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).hostname !== '';
}

export function readGroup(text: string): Reading<string> {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$|^\{?[0-9a-fA-F-]{36}\}?$/.test(text)
    ? value(text)
    : bad('is no name of a group: letters, digits, ".", "_" and "-", at most 64');
}

export function readStrategy<Name extends string>(text: string, names: readonly Name[]): Reading<Name> {
  const found = names.find((name) => name === text);
  return found === undefined ? bad(`is none of ${names.join(', ')}`) : value(found);
}

export function readVersion(text: string): Reading<string> {
  return isVersion(text) ? value(text) : bad('is no version such as 1.4.0');
}

/** `1`, `1.4`, `1.4.2`, `1.4.2-rc.1`. */
export function readVersionPrefix(text: string): Reading<string> {
  const isPrefix = /^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8}))?$/.test(text) || isVersion(text);
  return isPrefix
    ? value(text)
    : bad('is neither a version such as 1.4.0 nor the beginning of one such as 1.4');
}

export function readFlag(text: string): Reading<boolean> {
  if (/^(true|yes|on|1)$/i.test(text)) return value(true);
  if (/^(false|no|off|0)$/i.test(text)) return value(false);
  return bad('is neither true nor false');
}

const FACTORS: Readonly<Record<string, number>> = {'': 1, K: KIB, M: MIB, G: GIB};

/** `500K`, `10M`, `2000000`; powers of 1024 as in units of systemd. `0` is no limit. */
export function readBytesPerSecond(text: string): Reading<number | null> {
  const [, digits, unit] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined)
    return bad('is no rate in bytes per second such as 2M, 500K or 2000000');
  const rate = Number(digits) * (FACTORS[unit] ?? 1);
  if (rate === 0) return value(null);
  return rate < MIN_RATE_LIMIT_BYTES
    ? bad(`is less than ${MIN_RATE_LIMIT_BYTES} bytes per second, too slow for any update to arrive`)
    : value(rate);
}

/** One line of printable characters, as they stand. */
export function readWord(text: string): Reading<string> {
  return text.length <= MAX_WORD_CHARACTERS && !/[\p{Cc}\p{Surrogate}\uFFFE\uFFFF]/u.test(text)
    ? value(text)
    : bad(`is longer than ${MAX_WORD_CHARACTERS} characters, or has control characters`);
}

export function readPath(text: string): Reading<string> {
  return /^\/[^\p{Cc}]{1,1000}$/u.test(text) ? value(text) : bad('is no absolute path');
}

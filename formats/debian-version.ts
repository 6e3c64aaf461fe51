/**
 * Debian package versions and their order: `[EPOCH:]UPSTREAM[-REVISION]`.
 *
 * Semantic versioning sorts them wrongly (`~` comes before the end of the text, numbers compare inside letters), and
 * asking dpkg would make a pure decision depend on the build host.
 *
 * Format: Debian Policy 5.6.12 and deb-version(7).
 */
import {CodedError} from './errors.ts';

export type DebianVersionErrorCode = 'bad-version';
export class DebianVersionError extends CodedError<DebianVersionErrorCode> {}

export interface DebianVersion {
  epoch: number;
  upstream: string;
  /** Empty when the version has none, which compares equal to `0`. */
  revision: string;
}

/** dpkg keeps the epoch in an int. */
const MAX_EPOCH = 2_147_483_647;
const MAX_LENGTH = 512;

/** Throws DebianVersionError for what dpkg would refuse, and for an upstream part not beginning with a digit. */
export function parseDebianVersion(text: string): DebianVersion {
  const colon = text.indexOf(':');
  const dash = text.lastIndexOf('-');
  const epoch = colon === -1 ? '0' : text.slice(0, colon);
  const upstream = text.slice(colon + 1, dash === -1 ? text.length : dash);
  const revision = dash === -1 ? '0' : text.slice(dash + 1);
  const isValid =
    text.length <= MAX_LENGTH &&
    /^\d+$/.test(epoch) &&
    Number(epoch) <= MAX_EPOCH &&
    /^\d[A-Za-z0-9.+~:-]*$/.test(upstream) &&
    /^[A-Za-z0-9.+~]+$/.test(revision);
  if (!isValid) {
    throw new DebianVersionError('bad-version', `${JSON.stringify(text.slice(0, 200))} is no Debian version`);
  }
  return {epoch: Number(epoch), upstream, revision: dash === -1 ? '' : revision};
}

/** Negative, zero or positive, for use in sort. Versions may be equal without being the same text (`1.0`, `1.00`). */
export function compareDebianVersions(left: string, right: string): number {
  const [a, b] = [parseDebianVersion(left), parseDebianVersion(right)];
  return a.epoch - b.epoch || comparePart(a.upstream, b.upstream) || comparePart(a.revision, b.revision);
}

/** Alternately a run of non-digits by character and a run of digits by value, until one differs. */
function comparePart(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    for (; isText(a, i) || isText(b, j); i += 1, j += 1) {
      const difference = weight(a, i) - weight(b, j);
      if (difference !== 0) return difference;
    }
    const [x, y] = [digitsAt(a, i), digitsAt(b, j)];
    i += x.length;
    j += y.length;
    const difference = compareDigits(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isText(text: string, index: number): boolean {
  return index < text.length && !isDigit(text.charCodeAt(index));
}

/** Tilde before the end of the part, that before letters, these before everything else. */
function weight(text: string, index: number): number {
  const code = text.charCodeAt(index);
  if (Number.isNaN(code) || isDigit(code)) return 0;
  if (code === 0x7e) return -1;
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isLetter ? code : code + 256;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function digitsAt(text: string, start: number): string {
  return /^\d*/.exec(text.slice(start))?.[0] ?? '';
}

/** As text: dates and hashes make numbers longer than a double holds. */
function compareDigits(x: string, y: string): number {
  const [a, b] = [x.replace(/^0+/, ''), y.replace(/^0+/, '')];
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

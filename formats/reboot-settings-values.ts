/** What the keys of reboot-settings.ts may be set to, one reader a kind. A problem continues "KEY=VALUE ...". */
import {formatGoDuration, parseGoDuration} from './go-duration.ts';
import type {Reading} from './update-conf-values.ts';

const MAX_ENDPOINTS = 16;
const MAX_URL_CHARACTERS = 1000;
/** Of the protocol (Zincati, "FleetLock protocol", body). */
const FLEET_LOCK_GROUP = /^[a-zA-Z0-9.-]{1,128}$/;

const value = <T>(of: T): Reading<T> => ({kind: 'value', value: of});
const bad = (problem: string): Reading<never> => ({kind: 'bad', problem});

/** A duration of Go between two limits, in milliseconds; whole milliseconds. */
export function readDuration(text: string, minMs: number, maxMs: number): Reading<number> {
  const ms = parseGoDuration(text);
  if (ms === null) return bad('is no duration such as 5m, 90s or 1h30m');
  if (ms >= minMs && ms <= maxMs) return value(Math.round(ms));
  return bad(`is not from ${formatGoDuration(minMs)} to ${formatGoDuration(maxMs)}`);
}

/** An http or https address, without a slash at its end. */
export function readBaseUrl(text: string): Reading<string> {
  if (text.length > MAX_URL_CHARACTERS || !/^https?:\/\/[^\s\p{C}]+$/iu.test(text) || !URL.canParse(text))
    return bad('is no http or https address');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    return bad('has a name or a password in it; they have keys of their own');
  if (url.search !== '' || url.hash !== '') return bad('goes on behind its path');
  return value(text.replace(/\/+$/, ''));
}

/** Addresses between commas. */
export function readEndpoints(text: string): Reading<readonly string[]> {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (words.length === 0) return bad('names no address');
  if (words.length > MAX_ENDPOINTS) return bad(`names more than ${MAX_ENDPOINTS} addresses`);
  const found: string[] = [];
  for (const word of words) {
    const url = readBaseUrl(word);
    if (url.kind === 'bad') return bad(`has ${quoteAddress(word)}, which ${url.problem}`);
    if (new URL(url.value).pathname !== '/') return bad(`has ${quoteAddress(word)} with a path`);
    found.push(url.value);
  }
  return value([...new Set(found)]);
}

/** For messages: without a password that somebody put into an address. */
export function quoteAddress(text: string): string {
  return JSON.stringify(text.replaceAll(/\/\/[^\s,]*@/g, '//...@').slice(0, 200));
}

export function readFleetLockGroup(text: string): Reading<string> {
  return FLEET_LOCK_GROUP.test(text)
    ? value(text)
    : bad('is no name of a group: letters, digits, "." and "-", at most 128');
}

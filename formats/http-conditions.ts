/**
 * What a server makes of a request for one file: conditions in the order of RFC 9110, section 13.2.2, then one range.
 * Several ranges in one request are answered with the whole file, which the RFC allows (14.2) and which spares everyone
 * multipart bodies.
 */
import {isStrong, parseEtag} from './http-ranges.ts';

export interface Representation {
  readonly bytes: number;
  /** Strong, with quotes. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

export type FileSelection =
  | {readonly kind: 'whole'}
  | {readonly kind: 'part'; readonly first: number; readonly last: number}
  | {readonly kind: 'not-modified'}
  | {readonly kind: 'precondition-failed'}
  | {readonly kind: 'unsatisfiable'};

export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** For GET and HEAD. Names of headers in small letters. */
export function selectFromFile(headers: RequestHeaders, file: Representation): FileSelection {
  const ifMatch = headers['if-match'];
  const unmodifiedSince = dateOf(headers['if-unmodified-since']);
  if (ifMatch !== undefined) {
    if (!listsEtag(ifMatch, file.etag, 'strong')) return {kind: 'precondition-failed'};
  } else if (unmodifiedSince !== null && secondsOf(file) > unmodifiedSince)
    return {kind: 'precondition-failed'};
  const ifNoneMatch = headers['if-none-match'];
  const modifiedSince = dateOf(headers['if-modified-since']);
  if (ifNoneMatch !== undefined) {
    if (listsEtag(ifNoneMatch, file.etag, 'weak')) return {kind: 'not-modified'};
  } else if (modifiedSince !== null && secondsOf(file) <= modifiedSince) return {kind: 'not-modified'};
  const range = headers['range'];
  if (range === undefined || !isIfRangeMet(headers['if-range'], file)) return {kind: 'whole'};
  return selectRange(range, file.bytes);
}

/** `bytes=0-99`, `bytes=100-`, `bytes=-100`; anything else that is well-formed or not is as if it were not there. */
function selectRange(text: string, bytes: number): FileSelection {
  const [, from, to] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(text) ?? [];
  if (from === undefined || to === undefined || from + to === '') return {kind: 'whole'};
  if (from === '') {
    const length = Math.min(bytes, Number(to));
    return length === 0 ? {kind: 'unsatisfiable'} : {kind: 'part', first: bytes - length, last: bytes - 1};
  }
  const first = Number(from);
  const last = to === '' ? bytes - 1 : Math.min(bytes - 1, Number(to));
  if (to !== '' && Number(to) < first) return {kind: 'whole'};
  return first >= bytes ? {kind: 'unsatisfiable'} : {kind: 'part', first, last};
}

/** 13.1.5: a strong tag that is the same, or the very date. */
function isIfRangeMet(condition: string | undefined, file: Representation): boolean {
  if (condition === undefined) return true;
  const etag = parseEtag(condition);
  if (etag !== null) return isStrong(etag) && etag === file.etag;
  return dateOf(condition) === secondsOf(file);
}

/** `*`, or a list of tags that has this one. */
function listsEtag(list: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

function secondsOf({modifiedAt}: Representation): number {
  return Math.floor(modifiedAt / 1000);
}

/** Seconds since 1970, of the one form that is still written (5.6.7). */
function dateOf(text: string | undefined): number | null {
  if (text === undefined || !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : Math.floor(time / 1000);
}

export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

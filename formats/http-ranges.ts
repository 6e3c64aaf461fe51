/** Ranges, validators and conditions of HTTP (RFC 9110), for the side that asks and the side that answers. */

/** What tells two representations under one address apart; null when the server does not say. */
export interface Validators {
  /** With its quotes, and `W/` when it is weak. */
  readonly etag: string | null;
  /** As the server wrote it. */
  readonly lastModified: string | null;
}

export interface ContentRange {
  /** First and last byte; null in the answer that refuses a range. */
  readonly range: {readonly first: number; readonly last: number} | null;
  /** Null when the server does not know. */
  readonly total: number | null;
}

const MAX_ETAG_CHARACTERS = 1024;

/** Null unless it is a well-formed entity tag (8.8.3). */
export function parseEtag(text: string | undefined): string | null {
  const isTag =
    text !== undefined &&
    text.length <= MAX_ETAG_CHARACTERS &&
    /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(text);
  return isTag ? text : null;
}

export function isStrong(etag: string): boolean {
  return !etag.startsWith('W/');
}

/** `bytes 0-99/200`, `bytes 0-99/*`, `bytes * /200` without the blank (14.4). Null for anything else. */
export function parseContentRange(text: string | undefined): ContentRange | null {
  const [, first, last, total] =
    /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? '') ?? [];
  if (total === undefined) return null;
  const bytes = total === '*' ? null : Number(total);
  if (first === undefined || last === undefined) return bytes === null ? null : {range: null, total: bytes};
  const range = {first: Number(first), last: Number(last)};
  const isSound = range.first <= range.last && (bytes === null || range.last < bytes);
  return isSound ? {range, total: bytes} : null;
}

/** How two answers show that they are of different files, in words; null when nothing says so. */
export function differenceOf(before: Validators, now: Validators): string | null {
  const tags = [before.etag, now.etag];
  if (tags.every((tag) => tag !== null && isStrong(tag)))
    return before.etag === now.etag ? null : `ETag ${now.etag}, it was ${before.etag}`;
  const dates = [before.lastModified, now.lastModified];
  if (dates.includes(null) || before.lastModified === now.lastModified) return null;
  return `of ${now.lastModified}, it was of ${before.lastModified}`;
}

/** What If-Range may carry: a strong tag, else a date (13.1.5); null when there is neither. */
export function ifRangeOf({etag, lastModified}: Validators): string | null {
  if (etag !== null && isStrong(etag)) return etag;
  // With a weak tag the server says itself that the bytes may differ.
  return etag === null ? lastModified : null;
}

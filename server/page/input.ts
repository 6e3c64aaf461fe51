/** Forms and queries of the page, as far as they are believed. */
import type {ServerRequest} from '../../platform/http-server.ts';
import {type InstanceQuery, RANGES, type RangeName, STATE_FILTERS} from './model.ts';

const MAX_FORM_BYTES = 4096;
const MAX_SEARCH_CHARACTERS = 128;

/** Null for what is no form, or longer than any of ours. */
export function readForm({body, headers}: ServerRequest): URLSearchParams | null {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded' || body.length > MAX_FORM_BYTES) return null;
  return new URLSearchParams(Buffer.from(body).toString('utf8'));
}

/** A word that is not known is as if it were not there: people change addresses by hand. */
export function readInstanceQuery(query: string): InstanceQuery {
  const given = new URLSearchParams(query);
  const word = (name: string): string => (given.get(name) ?? '').slice(0, MAX_SEARCH_CHARACTERS);
  const [group, state] = [word('group'), word('state')];
  return {
    search: storable(word('q').trim()),
    group: group === '' ? null : storable(group),
    state: STATE_FILTERS.find((each) => each === state) ?? null,
    after: storable(word('after')),
  };
}

export function readRange(query: string): RangeName {
  const given = new URLSearchParams(query).get('range') ?? '';
  return (Object.keys(RANGES) as RangeName[]).find((each) => each === given) ?? 'week';
}

/** A part of a path; null where it is not UTF-8 or holds what no name has. */
export function decodePart(part: string): string | null {
  try {
    const text = decodeURIComponent(part);
    return text === storable(text) ? text : null;
  } catch {
    return null;
  }
}

/** Where to go after signing in: a path of the page, and never another site. */
export function readDestination(given: string | null, prefix: string): string {
  if (given === null || !given.startsWith(prefix) || !/^[\x21-\x7e]{1,500}$/.test(given)) return prefix;
  return given.includes('\\') || given.includes('//') ? prefix : given;
}

/** The database takes no control characters. */
function storable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}]/gu, '');
}

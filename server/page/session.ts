/**
 * Who a browser is, and whether it meant what it sent: pure decisions. A cookie holds 256 bits of chance and nothing
 * else. What changes something comes as a form with a token that only a page of this server could know, from a page of
 * this server as far as the browser says where it comes from.
 *
 * Rejected: the API token in the cookie. Then whoever gets hold of a browser's cookies has it for ever.
 */
import {createHmac, timingSafeEqual} from 'node:crypto';
import type {ServerRequest} from '../../platform/http-server.ts';

export const SESSION_BYTES = 32;
/** A session nobody used for so long ends ... */
export const IDLE_MS = 12 * 3_600_000;
/** ... and each one after so long. */
export const LIFETIME_MS = 7 * 24 * 3_600_000;
/** The time of last use is kept no more exactly than that: looking at a page is no reason to write to the database. */
export const TOUCH_MS = 5 * 60_000;

const COOKIE_NAME = 'caisson-session';
/** Of HTTPS only, for this host only: browsers hold a cookie of that name to it. */
const HOST_PREFIX = '__Host-';
const FORM = /^[A-Za-z0-9_-]{43}$/;
const MAX_COOKIES_CHARACTERS = 8192;

export type Headers = Readonly<Record<string, string | undefined>>;

/** What the browser holds; null when it holds nothing that could be a session. */
export function sessionIdOf({cookie = ''}: Headers, isSecure: boolean): string | null {
  const name = cookieName(isSecure);
  for (const pair of cookie.slice(0, MAX_COOKIES_CHARACTERS).split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return FORM.test(value) ? value : null;
  }
  return null;
}

/** The header that makes a browser hold it; null makes it forget. */
export function sessionCookie(id: string | null, isSecure: boolean): string {
  const lifetime = id === null ? 0 : LIFETIME_MS / 1000;
  // Lax, so that a link in a mail leads to a page and not to the sign-in. It is sent with no form of another site.
  const parts = [
    `${cookieName(isSecure)}=${id ?? ''}`,
    'Path=/',
    `Max-Age=${lifetime}`,
    'HttpOnly',
    'SameSite=Lax',
  ];
  return [...parts, ...(isSecure ? ['Secure'] : [])].join('; ');
}

export function isAlive(
  {createdAt, lastSeenAt}: {readonly createdAt: number; readonly lastSeenAt: number},
  now: number,
): boolean {
  return now - createdAt < LIFETIME_MS && now - lastSeenAt < IDLE_MS;
}

/** Follows from the session, so that it is nowhere else; and the session does not follow from it. */
export function csrfOf(sessionId: string): string {
  return createHmac('sha256', sessionId).update('caisson csrf').digest('base64url');
}

export function isCsrfOf(sessionId: string, given: string): boolean {
  const [expected, found] = [Buffer.from(csrfOf(sessionId)), Buffer.from(given)];
  return expected.length === found.length && timingSafeEqual(expected, found);
}

/**
 * False for a request that a page of another site made. Browsers say so in one header or the other; a program that says
 * nothing is let through, because no other site's page can be one.
 */
export function isFromHere({headers}: Pick<ServerRequest, 'headers'>, publicUrl: string | null): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const {origin, host} = headers;
  if (origin === undefined) return true;
  const from = hostOf(origin);
  if (from === null) return false;
  // A proxy may have changed either Host or the scheme.
  return from === host?.toLowerCase() || (publicUrl !== null && from === hostOf(publicUrl));
}

/** Whether the browser is reached by HTTPS, be it that a proxy speaks it. */
export function isSecureFor({isTls}: Pick<ServerRequest, 'isTls'>, publicUrl: string | null): boolean {
  return isTls || publicUrl?.startsWith('https://') === true;
}

function cookieName(isSecure: boolean): string {
  return isSecure ? HOST_PREFIX + COOKIE_NAME : COOKIE_NAME;
}

/** With the port where it is none of the scheme's own; null for what is no address, as `null` is. */
function hostOf(address: string): string | null {
  try {
    return new URL(address).host;
  } catch {
    return null;
  }
}

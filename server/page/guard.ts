/** Finds out who asks, and lets them in with a token: sessions of the page, over the store. */
import type {ServerRequest} from '../../platform/http-server.ts';
import {addSession, deleteOldSessions, deleteSession, findSession, touchSession} from '../store/sessions.ts';
import type {Database} from '../store/sql.ts';
import {type StoredToken, findToken} from '../store/tokens.ts';
import {createAttempts} from './attempts.ts';
import {
  IDLE_MS,
  LIFETIME_MS,
  SESSION_BYTES,
  TOUCH_MS,
  csrfOf,
  isAlive,
  isSecureFor,
  sessionCookie,
  sessionIdOf,
} from './session.ts';

export interface Visitor {
  readonly sessionId: string;
  readonly token: StoredToken;
  readonly csrf: string;
}

export type SignIn = {readonly kind: 'in'; readonly cookie: string} | {readonly kind: 'refused' | 'blocked'};

export interface Guard {
  /** Null for whoever has to sign in first. */
  visitorOf(request: ServerRequest): Promise<Visitor | null>;
  signIn(request: ServerRequest, token: string): Promise<SignIn>;
  /** Gives the cookie that makes the browser forget. */
  signOut(request: ServerRequest, visitor: Visitor): Promise<string>;
}

export interface GuardOptions {
  readonly database: Database;
  readonly publicUrl: string | null;
  readonly random: (bytes: number) => Buffer;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export function createGuard({database, publicUrl, random, now}: GuardOptions): Guard {
  const attempts = createAttempts();
  return {
    async visitorOf(request) {
      const sessionId = sessionIdOf(request.headers, isSecureFor(request, publicUrl));
      if (sessionId === null) return null;
      const session = await findSession(database, sessionId);
      const at = now();
      if (session === null || !isAlive(session, at)) return null;
      if (at - session.lastSeenAt > TOUCH_MS) await touchSession(database, sessionId, at);
      return {sessionId, token: session.token, csrf: csrfOf(sessionId)};
    },
    async signIn(request, token) {
      const at = now();
      if (attempts.isBlocked(request.remote, at)) return {kind: 'blocked'};
      const found = await findToken(database, token.trim());
      if (found === null) {
        attempts.note(request.remote, at);
        return {kind: 'refused'};
      }
      await deleteOldSessions(database, {seenBefore: at - IDLE_MS, madeBefore: at - LIFETIME_MS});
      // Always a new one: what the browser held before may be known to others.
      const id = random(SESSION_BYTES).toString('base64url');
      await addSession(database, {id, tokenId: found.id}, at);
      return {kind: 'in', cookie: sessionCookie(id, isSecureFor(request, publicUrl))};
    },
    async signOut(request, {sessionId}) {
      await deleteSession(database, sessionId);
      return sessionCookie(null, isSecureFor(request, publicUrl));
    },
  };
}

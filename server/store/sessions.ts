/**
 * Sessions of the page in the store: who signed in with which token. Only a hash of what the browser holds is kept, as
 * with tokens. A session ends with its token, because it says no more than which token it came from.
 */
import {createHash} from 'node:crypto';
import type {Database} from './sql.ts';
import {type StoredToken, readToken} from './tokens.ts';

export interface StoredSession {
  /** As it is now, and not revoked. */
  readonly token: StoredToken;
  readonly createdAt: number;
  readonly lastSeenAt: number;
}

/** `id`: what the browser holds. */
export async function addSession(
  database: Database,
  {id, tokenId}: {readonly id: string; readonly tokenId: string},
  now: number,
): Promise<void> {
  await database
    .insertInto('sessions')
    .values({hash: hashOf(id), token_id: tokenId, created_at: now, last_seen_at: now})
    .execute();
}

/** Null for one that is unknown, or whose token is revoked. How old it may be is not decided here. */
export async function findSession(database: Database, id: string): Promise<StoredSession | null> {
  const row = await database
    .selectFrom('sessions')
    .selectAll()
    .where('hash', '=', hashOf(id))
    .executeTakeFirst();
  if (row === undefined) return null;
  const token = await readToken(database, row.token_id);
  if (token === null) return null;
  return {token, createdAt: row.created_at, lastSeenAt: row.last_seen_at};
}

export async function touchSession(database: Database, id: string, now: number): Promise<void> {
  await database.updateTable('sessions').set({last_seen_at: now}).where('hash', '=', hashOf(id)).execute();
}

export async function deleteSession(database: Database, id: string): Promise<void> {
  await database.deleteFrom('sessions').where('hash', '=', hashOf(id)).execute();
}

/** Those that were last seen, or made, before these times. */
export async function deleteOldSessions(
  database: Database,
  {seenBefore, madeBefore}: {readonly seenBefore: number; readonly madeBefore: number},
): Promise<void> {
  await database
    .deleteFrom('sessions')
    .where((eb) => eb.or([eb('last_seen_at', '<', seenBefore), eb('created_at', '<', madeBefore)]))
    .execute();
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}

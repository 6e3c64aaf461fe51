/**
 * Tokens of the API in the store: hashed, so that whoever reads the database cannot speak for anyone. A token is its id
 * and 32 random bytes; with that much chance in it one SHA-256 is enough, and the id finds the row without comparing.
 */
import {createHash, timingSafeEqual} from 'node:crypto';
import {ServerError} from '../errors.ts';
import type {Database} from './sql.ts';

export const TOKEN_ROLES = ['read', 'publish', 'admin'] as const;
/** Each may what those before it may. */
export type TokenRole = (typeof TOKEN_ROLES)[number];

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

const ID_BYTES = 8;
const SECRET_BYTES = 32;
const FORM = /^caisson_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** The token, which is shown once and kept nowhere. Throws ServerError 'exists' for a name that is taken. */
export async function addToken(
  database: Database,
  {name, role}: {readonly name: string; readonly role: TokenRole},
  {random, now}: {readonly random: (bytes: number) => Buffer; readonly now: number},
): Promise<string> {
  const id = random(ID_BYTES).toString('hex');
  const token = `caisson_${id}_${random(SECRET_BYTES).toString('base64url')}`;
  const {numInsertedOrUpdatedRows} = await database
    .insertInto('tokens')
    .values({id, name, hash: hashOf(token).toString('hex'), role, created_at: now, revoked_at: null})
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) throw new ServerError('exists', `there is a token ${name} already`);
  return token;
}

/** Whose token it is; null for one that is unknown, revoked, or no token at all. */
export async function findToken(database: Database, token: string): Promise<StoredToken | null> {
  const id = FORM.exec(token)?.[1];
  if (id === undefined) return null;
  const row = await database.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || row.revoked_at !== null) return null;
  const expected = Buffer.from(row.hash, 'hex');
  const found = hashOf(token);
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) return null;
  return tokenOf(row);
}

/** By its id, without the token: for whoever showed it before. Null when it is revoked, or gone. */
export async function readToken(database: Database, id: string): Promise<StoredToken | null> {
  const row = await database.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined || row.revoked_at !== null ? null : tokenOf(row);
}

export async function revokeToken(database: Database, name: string, now: number): Promise<boolean> {
  const {numUpdatedRows} = await database
    .updateTable('tokens')
    .set({revoked_at: now})
    .where('name', '=', name)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function listTokens(database: Database): Promise<readonly StoredToken[]> {
  const rows = await database.selectFrom('tokens').selectAll().orderBy('name').execute();
  return rows.flatMap((row) => tokenOf(row) ?? []);
}

/** Whether a role is enough where another is asked for. */
export function mayActAs(role: TokenRole, needed: TokenRole): boolean {
  return TOKEN_ROLES.indexOf(role) >= TOKEN_ROLES.indexOf(needed);
}

function tokenOf(row: {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly created_at: number;
  readonly revoked_at: number | null;
}): StoredToken | null {
  const role = TOKEN_ROLES.find((each) => each === row.role);
  // A role of a later version of this program: better nobody than too much.
  if (role === undefined) return null;
  return {id: row.id, name: row.name, role, createdAt: row.created_at, revokedAt: row.revoked_at};
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * A database that has a few rows to read and keeps nothing: for what asks it at the start and writes ever after. It is as
 * strict as PostgreSQL about what it is given to keep.
 */
import assert from 'node:assert/strict';
import type {SqlPool} from '../../platform/sql-pool.ts';
import {type Database, openDatabase} from '../../server/store/sql.ts';

export type Rows = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

/** `rows` by table, all columns of each; conditions of queries are passed over. */
export function openMemoryDatabase(rows: Rows): Database {
  const pool: SqlPool = {
    connect: () =>
      Promise.resolve({
        query(text, parameters) {
          parameters.forEach(requireStorable);
          const table = /^select .* from "(\w+)"/.exec(text)?.[1];
          const found = table === undefined ? [] : [...(rows[table] ?? [])];
          return Promise.resolve({command: 'SELECT' as const, rowCount: found.length, rows: found});
        },
        release: () => undefined,
      }),
    end: () => Promise.resolve(),
  };
  return openDatabase(pool);
}

/** Rows come as JSON, and are looked into: `jsonb` takes neither U+0000 nor halves of characters. */
function requireStorable(value: unknown): void {
  if (typeof value === 'number') assert.ok(Number.isSafeInteger(value), `${value} is no bigint`);
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(requireStorable);
  if (typeof value !== 'string') return;
  assert.ok(!value.includes('\u0000') && !/\p{Surrogate}/u.test(value), JSON.stringify(value));
  if (value.startsWith('[') && isJson(value)) requireStorable(JSON.parse(value));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

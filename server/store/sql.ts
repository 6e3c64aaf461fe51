/** Typed queries over a pool, and the one importer of the query builder. */
import {Kysely, PostgresDialect, sql} from 'kysely';
import {DatabaseError, type SqlPool} from '../../platform/sql-pool.ts';
import {MIGRATIONS, type Migration} from './migrations.ts';
import type {Tables} from './tables.ts';

export {sql};
export type Database = Kysely<Tables>;

export function openDatabase(pool: SqlPool): Database {
  return new Kysely<Tables>({
    dialect: new PostgresDialect({
      // The builder wants to put cursors and its own marks on clients; ours know neither.
      pool: {
        async connect() {
          const client = await pool.connect();
          return {
            query: <R>(text: string, parameters: readonly unknown[]) =>
              client.query(text, parameters) as Promise<{
                command: 'UPDATE' | 'DELETE' | 'INSERT' | 'SELECT' | 'MERGE';
                rowCount: number;
                rows: R[];
              }>,
            release: () => client.release(),
          } as never;
        },
        end: () => pool.end(),
      },
    }),
  });
}

/**
 * Takes the tables to where this program expects them, each step whole or not at all; gives the numbers of the steps
 * that were missing. Throws DatabaseError 'unknown-content' for a database of a later version of this program.
 */
export async function migrate(
  database: Database,
  now: number,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly number[]> {
  await sql`create table if not exists migrations (number integer primary key, name text not null, at bigint not null)`.execute(
    database,
  );
  const {rows} = await sql<{number: number}>`select number from migrations order by number`.execute(database);
  const done = rows.map(({number}) => number);
  const latest = migrations.at(-1)?.number ?? 0;
  const beyond = done.find((number) => number > latest);
  if (beyond !== undefined) {
    throw new DatabaseError(
      'unknown-content',
      `the database was taken to step ${beyond}, and this program knows steps up to ${latest}`,
      {hint: 'run the version of caisson that ran here before, or a later one'},
    );
  }
  const missing = migrations.filter(({number}) => !done.includes(number));
  for (const {number, name, statements} of missing) {
    await database.transaction().execute(async (transaction) => {
      for (const statement of statements) await sql.raw(statement).execute(transaction);
      await sql`insert into migrations values (${number}, ${name}, ${now})`.execute(transaction);
    });
  }
  return missing.map(({number}) => number);
}

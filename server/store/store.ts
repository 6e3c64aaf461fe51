/**
 * The store of the release server: the same tables and the same queries in a PostgreSQL of one's own, or in one embedded
 * in this process. One server has it at a time, because the rollouts are led in memory and only kept here.
 *
 * Rejected: a database of another kind for small sites. Then each query would be two, and one of them tested less.
 */
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {openPglite} from '../../platform/pglite.ts';
import {openPostgres} from '../../platform/postgres.ts';
import {DatabaseError, type SqlClient, type SqlPool} from '../../platform/sql-pool.ts';
import {holdLock} from '../lock-file.ts';
import {type Database, migrate, openDatabase} from './sql.ts';

export type StorePlace =
  {readonly kind: 'embedded'; readonly dir: string} | {readonly kind: 'postgres'; readonly url: string};

export interface StoreOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Hears when the database goes away. */
  readonly onLost: (error: Error) => void;
  /** Hears that another server has the database meanwhile: what this one knows may be of old, and it has to end. */
  readonly onTaken?: ((error: Error) => void) | undefined;
  readonly signal: AbortSignal;
}

export interface Store {
  readonly database: Database;
  /** Steps that the tables were taken through now. */
  readonly migrated: readonly number[];
  close(): Promise<void>;
}

/** `caisson` in ASCII: no other program on that database is likely to take the same. */
const ADVISORY_LOCK = 426836063091;
/** A server that is being stopped lets go within its time of grace. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 100;

/** Throws DatabaseError, and ServerError 'locked' for an embedded database that another process has. */
export async function openStore(place: StorePlace, options: StoreOptions): Promise<Store> {
  const {now, signal} = options;
  const {pool, release} =
    place.kind === 'embedded' ? await openEmbedded(place.dir, signal) : await openServer(place.url, options);
  const database = openDatabase(pool);
  const close = async (): Promise<void> => {
    try {
      await release();
    } finally {
      await database.destroy();
    }
  };
  try {
    return {database, migrated: await migrate(database, now), close};
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

interface Opened {
  readonly pool: SqlPool;
  readonly release: () => Promise<void>;
}

async function openEmbedded(dir: string, signal: AbortSignal): Promise<Opened> {
  await mkdir(dir, {recursive: true, mode: 0o700});
  const unlock = await holdLock(join(dir, '.lock'), {
    patienceMs: PATIENCE_MS,
    hint: 'if no caisson server is running, remove that file',
    signal,
  });
  try {
    const pool = await openPglite(join(dir, 'database'));
    // Only whoever closed the files may let others have them.
    const end = async (): Promise<void> => {
      await pool.end();
      await unlock();
    };
    return {pool: {...pool, end}, release: () => Promise.resolve()};
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openServer(url: string, {onLost, onTaken, signal}: StoreOptions): Promise<Opened> {
  let isInDoubt = false;
  const pool = openPostgres(url, (error) => {
    isInDoubt = true;
    onLost(error);
  });
  try {
    let keeper: SqlClient | null = await lockServer(pool, signal);
    /** A connection that broke may have been that of the lock; with a PostgreSQL that was restarted all are. */
    async function lockAgain(): Promise<void> {
      // What breaks from now on is in doubt again.
      isInDoubt = false;
      if (keeper !== null && (await isAlive(keeper))) return;
      keeper?.release();
      keeper = null;
      keeper = await lockServer(pool, signal).catch((error: unknown) => {
        isInDoubt = true;
        if (error instanceof DatabaseError && error.code === 'in-use') onTaken?.(error);
        throw error;
      });
    }
    let locking: Promise<void> | null = null;
    return {
      pool: {
        ...pool,
        async connect() {
          if (isInDoubt || locking !== null) {
            locking ??= lockAgain().finally(() => (locking = null));
            await locking;
          }
          return pool.connect();
        },
      },
      async release() {
        await keeper?.query('select pg_advisory_unlock($1)', [ADVISORY_LOCK]).catch(() => undefined);
        keeper?.release();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function isAlive(client: SqlClient): Promise<boolean> {
  return client.query('select 1', []).then(
    () => true,
    () => false,
  );
}

/** The lock is that of a connection: it ends with the process, however that ends, as soon as PostgreSQL notices. */
async function lockServer(pool: SqlPool, signal: AbortSignal): Promise<SqlClient> {
  const keeper = await pool.connect();
  try {
    for (let waited = 0; !(await tryLock(keeper)); waited += PAUSE_MS) {
      if (waited >= PATIENCE_MS) {
        throw new DatabaseError('in-use', 'another caisson server has this database', {
          hint: 'one server leads the rollouts of a database',
        });
      }
      await sleep(PAUSE_MS, undefined, {signal});
    }
  } catch (error) {
    keeper.release();
    throw error;
  }
  return keeper;
}

async function tryLock(keeper: SqlClient): Promise<boolean> {
  const {rows} = await keeper.query('select pg_try_advisory_lock($1) as taken', [ADVISORY_LOCK]);
  return (rows[0] as {taken?: unknown} | undefined)?.taken === true;
}

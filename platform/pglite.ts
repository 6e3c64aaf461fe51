/**
 * PostgreSQL within this process, compiled to WebAssembly, its files in a folder: the one importer of it. There is one
 * connection, which callers get in turn.
 *
 * It runs with fsync off, and its file layer has none. So after each commit the log of the database is synced here, file
 * by file; what a commit said is on the disk then. Killing the process harms nothing. Power that fails in the seconds in
 * which a checkpoint is on its way to the disk may: who cannot have that gives the server a PostgreSQL.
 */
import {open, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {PGlite} from '@electric-sql/pglite';
import {DatabaseError, INT8, type SqlPool, type SqlResult, integerOf} from './sql-pool.ts';
import {syncDirectory} from './files.ts';

const LOG_FOLDER = 'pg_wal';
/** 24 hex digits: time line and place. */
const LOG_FILE = /^[0-9A-F]{24}$/;

/** Makes the database when the folder is empty or absent. Throws DatabaseError. */
export async function openPglite(dir: string): Promise<SqlPool> {
  const database = await PGlite.create(dir, {parsers: {[INT8]: integerOf}}).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError('unreachable', `the database in ${dir} cannot be opened: ${reason}`, {
      cause: error,
    });
  });
  const syncLog = createLogSync(join(dir, LOG_FOLDER));
  let free: Promise<void> = Promise.resolve();
  return {
    async connect() {
      const before = free;
      let release = (): void => undefined;
      free = new Promise((resolve) => {
        release = resolve;
      });
      await before;
      let isInTransaction = false;
      return {
        async query(sql, parameters) {
          const {rows, affectedRows} = await database.query<Record<string, unknown>>(sql, [...parameters]);
          const command = (/^\s*(\w+)/.exec(sql)?.[1] ?? '').toUpperCase();
          if (command === 'BEGIN' || command === 'START') isInTransaction = true;
          if (command === 'COMMIT' || command === 'ROLLBACK') isInTransaction = false;
          if (!isInTransaction && command !== 'SELECT' && command !== 'ROLLBACK') await syncLog();
          return {command: command as SqlResult['command'], rowCount: affectedRows ?? rows.length, rows};
        },
        release,
      };
    },
    end: () => database.close(),
  };
}

/** Syncs those files of the log that changed since the last time. */
function createLogSync(folder: string): () => Promise<void> {
  const synced = new Map<string, bigint>();
  return async () => {
    let isNew = false;
    for (const name of (await readdir(folder)).filter((each) => LOG_FILE.test(each))) {
      const path = join(folder, name);
      const {mtimeNs} = await stat(path, {bigint: true});
      if (synced.get(name) === mtimeNs) continue;
      isNew ||= !synced.has(name);
      const file = await open(path, 'r');
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
      synced.set(name, mtimeNs);
    }
    if (isNew) await syncDirectory(folder);
  };
}

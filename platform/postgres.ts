/** PostgreSQL over the network or a socket: the one importer of its driver. */
import {Pool, types} from 'pg';
import {DatabaseError, INT8, type SqlPool, type SqlResult, integerOf} from './sql-pool.ts';

const MAX_CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** No statement of ours takes seconds; one that hangs must not hold a connection for good. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** `onLost` hears when connections that nobody uses break: the server went away. */
export function openPostgres(url: string, onLost: (error: Error) => void): SqlPool {
  const pool = new Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'caisson',
    types: {
      getTypeParser: (oid, format): ((value: string) => unknown) =>
        Number(oid) === INT8 && format !== 'binary'
          ? integerOf
          : (types.getTypeParser(oid, format) as (value: string) => unknown),
    },
  });
  pool.on('error', onLost);
  return {
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw unreachable(error);
      });
      // Else one that breaks while it is in use ends the process.
      client.on('error', onLost);
      return {
        async query(sql, parameters) {
          const {command, rowCount, rows} = await client.query<Record<string, unknown>>(sql, [...parameters]);
          return {command: command as SqlResult['command'], rowCount: rowCount ?? 0, rows};
        },
        release() {
          client.off('error', onLost);
          client.release();
        },
      };
    },
    end: () => pool.end(),
  };
}

/** Without the URL, which may hold a password. */
function unreachable(error: unknown): DatabaseError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DatabaseError('unreachable', `the database cannot be reached: ${reason}`, {
    cause: error,
    retryable: true,
  });
}

/**
 * A database that speaks PostgreSQL's SQL, be it a server or one embedded in this process: what the two have in common,
 * so that nobody above can tell them apart.
 */
import {CodedError} from '../formats/errors.ts';

export type DatabaseErrorCode =
  /** It cannot be opened or reached, or went away. */
  | 'unreachable'
  /** Another process has it. */
  | 'in-use'
  /** It was made by a later version of this program, or holds what it never writes. */
  | 'unknown-content';

export class DatabaseError extends CodedError<DatabaseErrorCode> {}

export interface SqlResult {
  /** The first word of the statement, in capitals. */
  readonly command: 'UPDATE' | 'DELETE' | 'INSERT' | 'SELECT' | 'MERGE';
  readonly rowCount: number;
  readonly rows: unknown[];
}

export interface SqlClient {
  query(sql: string, parameters: readonly unknown[]): Promise<SqlResult>;
  /** Gives it back; what it had begun must be over. */
  release(): void;
}

/** 64-bit integers come as numbers: times in milliseconds and sizes of files fit. */
export interface SqlPool {
  /** Waits for one that is free. Throws DatabaseError 'unreachable'. */
  connect(): Promise<SqlClient>;
  end(): Promise<void>;
}

/** PostgreSQL's number for the type `bigint` (pg_type.dat). */
export const INT8 = 20;

/** What a value of 64 bits is as a number. Throws DatabaseError where that would not be the same value. */
export function integerOf(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new DatabaseError(
    'unknown-content',
    `the database holds ${text}, which is beyond all that is counted`,
  );
}

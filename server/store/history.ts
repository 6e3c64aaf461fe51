/** What machines told and were granted is kept for a while, and not for good: some hundred bytes for each event. */
import {type Database, sql} from './sql.ts';

/** Some milliseconds of the embedded database, in which nobody else is answered. */
const ROWS_A_STEP = 500;
/** Of one call; what is left goes with the next. */
const MAX_STEPS = 40;

/** Takes away what is older, a few rows at a time; gives how many they were. */
export async function pruneHistory(database: Database, olderThan: number): Promise<number> {
  let pruned = 0;
  for (const table of ['events', 'grants'] as const)
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const {numAffectedRows} = await sql`
        delete from ${sql.table(table)} where id in
          (select id from ${sql.table(table)} where at < ${olderThan} order by at limit ${ROWS_A_STEP})`.execute(
        database,
      );
      const count = Number(numAffectedRows ?? 0n);
      pruned += count;
      if (count < ROWS_A_STEP) break;
    }
  return pruned;
}

/** How many machines of a group ran which version, every ten minutes: what the chart of the page is drawn from. */
import type {Database} from './sql.ts';

export const SAMPLE_MS = 10 * 60_000;
const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** After that one sample an hour is enough ... */
const FINE_MS = 2 * DAY_MS;
/** ... and after that none. */
const KEPT_MS = 91 * DAY_MS;

export interface VersionSample {
  readonly at: number;
  readonly version: string;
  readonly machines: number;
}

/** When the sample that is under way at that time began. */
export function sampleStart(at: number): number {
  return Math.floor(at / SAMPLE_MS) * SAMPLE_MS;
}

/** Whole or not at all; a sample of that time is replaced. */
export async function saveSample(
  database: Database,
  groupId: string,
  at: number,
  counts: ReadonlyMap<string, number>,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await transaction
      .deleteFrom('version_samples')
      .where('group_id', '=', groupId)
      .where('at', '=', at)
      .execute();
    const rows = [...counts].map(([version, machines]) => ({group_id: groupId, at, version, machines}));
    if (rows.length > 0) await transaction.insertInto('version_samples').values(rows).execute();
  });
}

/** Oldest first. */
export async function listSamples(
  database: Database,
  groupId: string,
  from: number,
): Promise<readonly VersionSample[]> {
  return database
    .selectFrom('version_samples')
    .select(['at', 'version', 'machines'])
    .where('group_id', '=', groupId)
    .where('at', '>=', from)
    .orderBy('at')
    .orderBy('version')
    .execute();
}

/** Forgets what nobody looks at any more. */
export async function thinSamples(database: Database, now: number): Promise<void> {
  await database
    .deleteFrom('version_samples')
    .where((eb) =>
      eb.or([
        eb('at', '<', now - KEPT_MS),
        eb.and([eb('at', '<', now - FINE_MS), eb(eb('at', '%', HOUR_MS), '!=', 0)]),
      ]),
    )
    .execute();
}

/** Machines as people look for them: found by words, page by page, with all that became of one. */
import type {ProgressName} from '../rollout/tally.ts';
import {type StoredEvent, type StoredGrant, type StoredMachine, machineOf} from './machines.ts';
import {type Database, sql} from './sql.ts';

export interface InstanceQuery {
  /** Part of an id or of an alias, with letters of ASCII in any size; empty for all. */
  readonly search: string;
  /** Name of a group; null for all. */
  readonly group: string | null;
  readonly progress: ProgressName | null;
  /** What it runs; null for all. */
  readonly version: string | null;
  /** Only those not heard of since then; null for all. */
  readonly silentSince: number | null;
  /** Only ids after that; empty for the first page. */
  readonly after: string;
}

/** With the name of its group. */
export interface Instance extends StoredMachine {
  readonly groupName: string;
}

export interface InstancePage {
  /** By id. */
  readonly instances: readonly Instance[];
  /** Of all pages. */
  readonly total: number;
  /** What the next page is after; null on the last. */
  readonly next: string | null;
}

export const ALL_INSTANCES: InstanceQuery = {
  search: '',
  group: null,
  progress: null,
  version: null,
  silentSince: null,
  after: '',
};

const COLUMNS: Readonly<Record<ProgressName, string>> = {
  aside: 'aside',
  done: 'done',
  waiting: 'waiting',
  granted: 'granted',
  downloading: 'downloading',
  downloaded: 'downloaded',
  installed: 'installed',
  lost: 'lost',
  'rolled-back': 'out-rolled-back',
  'gave-up': 'out-attempts',
};

export async function listInstances(
  database: Database,
  {search, group, progress, version, silentSince, after}: InstanceQuery,
  limit: number,
): Promise<InstancePage> {
  let query = database.selectFrom('machines').innerJoin('groups', 'groups.id', 'machines.group_id');
  if (group !== null) query = query.where('groups.name', '=', group);
  if (progress !== null) query = query.where('machines.progress', '=', COLUMNS[progress]);
  if (version !== null) query = query.where('machines.version', '=', version);
  if (silentSince !== null) query = query.where('machines.last_seen_at', '<', silentSince);
  if (search !== '') {
    // In the letters of ASCII: the rules of all others take four times as long, and hosts wait meanwhile.
    const words = sql<string>`lower(${search}::text collate "C")`;
    query = query.where(
      sql<boolean>`(position(${words} in lower(machines.id collate "C")) > 0
        or position(${words} in lower(machines.alias collate "C")) > 0)`,
    );
  }
  const {total} = await query
    .select((select) => select.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await query
    .selectAll('machines')
    .select('groups.name as group_name')
    .where('machines.id', '>', after)
    .orderBy('machines.id')
    .limit(limit + 1)
    .execute();
  const instances = rows.slice(0, limit).map((row) => ({...machineOf(row), groupName: row.group_name}));
  return {instances, total, next: rows.length > limit ? (instances.at(-1)?.member.id ?? null) : null};
}

export async function findInstance(database: Database, id: string): Promise<Instance | null> {
  const row = await database
    .selectFrom('machines')
    .innerJoin('groups', 'groups.id', 'machines.group_id')
    .selectAll('machines')
    .select('groups.name as group_name')
    .where('machines.id', '=', id)
    .executeTakeFirst();
  return row === undefined ? null : {...machineOf(row), groupName: row.group_name};
}

export type TimelineEntry =
  ({readonly kind: 'event'} & StoredEvent) | ({readonly kind: 'grant'} & StoredGrant);

/** Events and grants of a machine, newest first, skipping the first `offset`. */
export async function listTimeline(
  database: Database,
  machineId: string,
  {limit, offset}: {readonly limit: number; readonly offset: number},
): Promise<readonly TimelineEntry[]> {
  // Of one moment the grant came last: hosts tell first, and then ask.
  const {rows} = await sql<TimelineRow>`
    select 1 as place, id, at, group_id, version, null::integer as type, null::integer as result,
      null::bigint as error_code, null::text as previous_version
    from grants where machine_id = ${machineId}
    union all
    select 0 as place, id, at, group_id, version, type, result, error_code, previous_version
    from events where machine_id = ${machineId}
    order by at desc, place desc, id desc limit ${limit} offset ${offset}`.execute(database);
  return rows.map(({at, group_id: groupId, version, type, result, error_code, previous_version}) =>
    type === null || result === null
      ? {kind: 'grant', at, machineId, groupId, version}
      : {
          ...{kind: 'event', at, machineId, groupId, version, type, result},
          errorCode: error_code,
          previousVersion: previous_version,
        },
  );
}

interface TimelineRow {
  readonly at: number;
  readonly group_id: string;
  readonly version: string;
  readonly type: number | null;
  readonly result: number | null;
  readonly error_code: number | null;
  readonly previous_version: string | null;
}

/** Also what it did; false when there was none. A machine that asks again is a new one. */
export async function deleteInstance(database: Database, id: string): Promise<boolean> {
  return database.transaction().execute(async (transaction) => {
    const {numDeletedRows} = await transaction.deleteFrom('machines').where('id', '=', id).executeTakeFirst();
    for (const table of ['events', 'grants'] as const)
      await transaction.deleteFrom(table).where('machine_id', '=', id).execute();
    return numDeletedRows > 0n;
  });
}

/**
 * Machines, their events and their grants in the store. What changed in one go is kept in one transaction, many machines
 * in one statement: the embedded database does hundreds of statements a second, and each may carry thousands of rows.
 */
import {DatabaseError} from '../../platform/sql-pool.ts';
import type {RolloutState} from '../rollout/state.ts';
import type {Blame, Member, Progress, Stage} from '../rollout/member.ts';
import {type Database, sql} from './sql.ts';
import type {MachineTable} from './tables.ts';

/** What a machine says of itself beside what the rollout needs. */
export interface MachineFacts {
  readonly alias: string;
  readonly oem: string;
  readonly oemVersion: string;
  readonly alephVersion: string;
  readonly board: string;
  readonly firstSeenAt: number;
}

export interface StoredMachine {
  readonly groupId: string;
  readonly facts: MachineFacts;
  readonly member: Member;
}

export interface StoredEvent {
  readonly at: number;
  readonly machineId: string;
  readonly groupId: string;
  readonly version: string;
  readonly type: number;
  readonly result: number;
  readonly errorCode: number | null;
  readonly previousVersion: string | null;
}

export interface StoredGrant {
  readonly at: number;
  readonly machineId: string;
  readonly groupId: string;
  readonly version: string;
}

/** All that one answer to a host, or several, leave to be kept. */
export interface Batch {
  readonly machines: readonly StoredMachine[];
  readonly events: readonly StoredEvent[];
  readonly grants: readonly StoredGrant[];
  /** States of rollouts, by the id of the group. */
  readonly states: ReadonlyMap<string, RolloutState>;
}

/** Whole or not at all; on the disk when it returns. A machine that is there is replaced. */
export async function saveBatch(database: Database, batch: Batch): Promise<void> {
  const {machines, events, grants, states} = batch;
  await database.transaction().execute(async (transaction) => {
    if (machines.length > 0) await upsert(transaction, machines.map(rowOf));
    if (events.length > 0) {
      const rows = JSON.stringify(
        events.map(({machineId, groupId, errorCode, previousVersion, ...same}) => ({
          ...same,
          machine_id: machineId,
          group_id: groupId,
          error_code: errorCode,
          previous_version: previousVersion,
        })),
      );
      await sql`
        insert into events (at, machine_id, group_id, version, type, result, error_code, previous_version)
        select at, machine_id, group_id, version, type, result, error_code, previous_version
        from jsonb_to_recordset(${rows}::jsonb) as row (at bigint, machine_id text, group_id text, version text,
          type integer, result integer, error_code bigint, previous_version text)`.execute(transaction);
    }
    if (grants.length > 0) {
      const rows = JSON.stringify(
        grants.map(({at, machineId, groupId, version}) => ({
          at,
          machine_id: machineId,
          group_id: groupId,
          version,
        })),
      );
      await sql`
        insert into grants (at, machine_id, group_id, version)
        select at, machine_id, group_id, version from jsonb_to_recordset(${rows}::jsonb)
        as row (at bigint, machine_id text, group_id text, version text)`.execute(transaction);
    }
    for (const [id, state] of states)
      await transaction
        .updateTable('groups')
        .set({state: JSON.stringify(state)})
        .where('id', '=', id)
        .execute();
  });
}

/** What a machine is first seen with stays; a later row of the same machine must be in a later statement. */
async function upsert(database: Database, rows: readonly MachineTable[]): Promise<void> {
  await sql`
    insert into machines select * from jsonb_populate_recordset(null::machines, ${JSON.stringify(rows)}::jsonb)
    on conflict (id) do update set
      group_id = excluded.group_id, alias = excluded.alias, oem = excluded.oem, oem_version = excluded.oem_version,
      aleph_version = excluded.aleph_version, board = excluded.board, last_seen_at = excluded.last_seen_at,
      version = excluded.version, prefix = excluded.prefix, progress = excluded.progress,
      progress_version = excluded.progress_version, granted_at = excluded.granted_at,
      progress_at = excluded.progress_at, has_entered = excluded.has_entered, setbacks = excluded.setbacks,
      blame = excluded.blame`.execute(database);
}

/** All of a group, by id. */
export async function loadMachines(database: Database, groupId: string): Promise<readonly StoredMachine[]> {
  const rows = await database
    .selectFrom('machines')
    .selectAll()
    .where('group_id', '=', groupId)
    .orderBy('id')
    .execute();
  return rows.map(machineOf);
}

/** Newest first. */
export async function listEvents(
  database: Database,
  machineId: string,
  limit: number,
): Promise<readonly StoredEvent[]> {
  const rows = await database
    .selectFrom('events')
    .selectAll()
    .where('machine_id', '=', machineId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({at, group_id, version, type, result, error_code, previous_version}) => ({
    at,
    machineId,
    groupId: group_id,
    version,
    type,
    result,
    errorCode: error_code,
    previousVersion: previous_version,
  }));
}

export async function listGrants(
  database: Database,
  machineId: string,
  limit: number,
): Promise<readonly StoredGrant[]> {
  const rows = await database
    .selectFrom('grants')
    .selectAll()
    .where('machine_id', '=', machineId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({at, group_id, version}) => ({at, machineId, groupId: group_id, version}));
}

const STAGES: readonly string[] = ['granted', 'downloading', 'downloaded', 'installed'] satisfies Stage[];
const BLAMES: readonly (string | null)[] = ['failed', 'rolled-back', 'lost', null];

function rowOf({groupId, facts, member}: StoredMachine): MachineTable {
  const {progress} = member;
  return {
    id: member.id,
    group_id: groupId,
    alias: facts.alias,
    oem: facts.oem,
    oem_version: facts.oemVersion,
    aleph_version: facts.alephVersion,
    board: facts.board,
    first_seen_at: facts.firstSeenAt,
    last_seen_at: member.lastSeenAt,
    version: member.version,
    prefix: member.prefix,
    ...columnsOf(progress),
    progress_at: member.progressAt,
    has_entered: member.hasEntered,
    setbacks: member.setbacks,
    blame: member.blame,
  };
}

function columnsOf(progress: Progress): Pick<MachineTable, 'progress' | 'progress_version' | 'granted_at'> {
  switch (progress.kind) {
    case 'in-flight':
      return {progress: progress.stage, progress_version: progress.version, granted_at: progress.grantedAt};
    case 'lost':
      return {progress: 'lost', progress_version: progress.version, granted_at: null};
    case 'waiting':
      return {progress: 'waiting', progress_version: progress.expired, granted_at: null};
    case 'out':
      return {progress: `out-${progress.why}`, progress_version: null, granted_at: null};
    case 'aside':
    case 'done':
      return {progress: progress.kind, progress_version: null, granted_at: null};
  }
}

/** Throws DatabaseError 'unknown-content' for what rowOf never makes. */
export function machineOf(row: MachineTable): StoredMachine {
  if (!BLAMES.includes(row.blame)) throw unknown(row);
  return {
    groupId: row.group_id,
    facts: {
      alias: row.alias,
      oem: row.oem,
      oemVersion: row.oem_version,
      alephVersion: row.aleph_version,
      board: row.board,
      firstSeenAt: row.first_seen_at,
    },
    member: {
      id: row.id,
      version: row.version,
      prefix: row.prefix,
      lastSeenAt: row.last_seen_at,
      progress: progressOf(row),
      progressAt: row.progress_at,
      hasEntered: row.has_entered,
      setbacks: row.setbacks,
      blame: row.blame as Blame | null,
    },
  };
}

function progressOf(row: MachineTable): Progress {
  const {progress, progress_version: version, granted_at: grantedAt} = row;
  if (progress === 'aside' || progress === 'done') return {kind: progress};
  if (progress === 'waiting') return {kind: 'waiting', expired: version};
  if (progress === 'out-rolled-back') return {kind: 'out', why: 'rolled-back'};
  if (progress === 'out-attempts') return {kind: 'out', why: 'attempts'};
  if (version === null) throw unknown(row);
  if (progress === 'lost') return {kind: 'lost', version};
  if (!STAGES.includes(progress) || grantedAt === null) throw unknown(row);
  return {kind: 'in-flight', version, stage: progress as Stage, grantedAt};
}

function unknown({id, progress, blame}: MachineTable): DatabaseError {
  return new DatabaseError(
    'unknown-content',
    `the database has machine ${id} as ${progress}, ${blame ?? 'without blame'}, which this program never writes`,
  );
}

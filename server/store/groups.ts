/** Groups in the store: which channel they follow, their policy as it was written, and how far their rollout is. */
import {describeIssues, z} from '../../formats/schema.ts';
import {DatabaseError} from '../../platform/sql-pool.ts';
import {ServerError} from '../errors.ts';
import {type RolloutState, beginRollout} from '../rollout/state.ts';
import {type PolicyDocument, type RolloutPolicy, parsePolicy} from '../rollout/policy.ts';
import type {Database} from './sql.ts';

export interface StoredGroup {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly channel: string;
  /** As it was written. */
  readonly document: Partial<PolicyDocument>;
  readonly policy: RolloutPolicy;
  readonly state: RolloutState;
  readonly createdAt: number;
}

const time = z.number();
const outcomes = z.strictObject({
  good: z.int(),
  failed: z.int(),
  rolledBack: z.int(),
  lost: z.int(),
});
const stateSchema = z.strictObject({
  target: z.strictObject({version: z.string(), allowDowngrade: z.boolean()}).nullable(),
  startedAt: time,
  stopped: z.strictObject({kind: z.enum(['paused', 'halted']), at: time, reason: z.string()}).nullable(),
  seen: outcomes,
  step: z.int(),
  stepAt: time,
  canariesGoodAt: time.nullable(),
});

export interface NewGroup {
  readonly id: string;
  readonly name: string;
  readonly channel: string;
  readonly document: Partial<PolicyDocument>;
}

/** Throws ServerError 'bad-policy', 'no-channel', and 'exists' for a name that is taken. */
export async function addGroup(
  database: Database,
  {id, name, channel, document}: NewGroup,
  now: number,
): Promise<void> {
  parsePolicy(document, `the policy of group ${name}`);
  await database.transaction().execute(async (transaction) => {
    const found = await transaction
      .selectFrom('channels')
      .select('name')
      .where('name', '=', channel)
      .executeTakeFirst();
    if (found === undefined) throw new ServerError('no-channel', `there is no channel ${channel}`);
    const {numInsertedOrUpdatedRows} = await transaction
      .insertInto('groups')
      .values({
        id,
        name,
        channel,
        policy: JSON.stringify(document),
        state: JSON.stringify(beginRollout(null, now)),
        created_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 0n) throw new ServerError('exists', `there is a group ${name} already`);
  });
}

/** Throws ServerError 'bad-policy' and 'no-group'. */
export async function setGroupPolicy(
  database: Database,
  id: string,
  document: Partial<PolicyDocument>,
): Promise<void> {
  parsePolicy(document, `the policy of group ${id}`);
  const {numUpdatedRows} = await database
    .updateTable('groups')
    .set({policy: JSON.stringify(document)})
    .where('id', '=', id)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new ServerError('no-group', `there is no group ${id}`);
}

/** By name. Throws DatabaseError 'unknown-content' for a row that this program did not write. */
export async function listGroups(database: Database): Promise<readonly StoredGroup[]> {
  const rows = await database.selectFrom('groups').selectAll().orderBy('name').execute();
  return rows.map(({id, name, channel, policy, state, created_at}) => {
    const document = JSON.parse(policy) as Partial<PolicyDocument>;
    const read = stateSchema.safeParse(JSON.parse(state));
    if (!read.success)
      throw new DatabaseError('unknown-content', `the state of group ${name}: ${describeIssues(read.error)}`);
    return {
      id,
      name,
      channel,
      document,
      policy: parsePolicy(document, `the policy of group ${name}`),
      state: read.data,
      createdAt: created_at,
    };
  });
}

/** With its machines. Throws ServerError 'no-group'. */
export async function deleteGroup(database: Database, id: string): Promise<void> {
  const {numDeletedRows} = await database.deleteFrom('groups').where('id', '=', id).executeTakeFirst();
  if (numDeletedRows === 0n) throw new ServerError('no-group', `there is no group ${id}`);
}

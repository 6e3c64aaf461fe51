/** Calls about groups: their policies, and a person's words about their rollouts. */
import {z} from '../../formats/schema.ts';
import {ServerError} from '../errors.ts';
import type {PolicyDocument} from '../rollout/policy.ts';
import {type StoredGroup, addGroup, listGroups, setGroupPolicy} from '../store/groups.ts';
import type {Hub} from '../hub/hub.ts';
import type {Database} from '../store/sql.ts';
import {readBody} from './input.ts';
import {type ApiRoute, type Call, NAME} from './router.ts';
import type {ApiTools} from './tools.ts';

export const GROUP_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: /^groups$/, role: 'read', act: list},
  {method: 'GET', path: new RegExp(`^groups/${NAME}$`), role: 'read', act: show},
  {method: 'PUT', path: new RegExp(`^groups/${NAME}$`), role: 'admin', act: putGroup},
  {method: 'DELETE', path: new RegExp(`^groups/${NAME}$`), role: 'admin', act: remove},
  {method: 'POST', path: new RegExp(`^groups/${NAME}/pause$`), role: 'admin', act: pause},
  {method: 'POST', path: new RegExp(`^groups/${NAME}/resume$`), role: 'admin', act: resume},
  {method: 'POST', path: new RegExp(`^groups/${NAME}/retry$`), role: 'admin', act: retry},
];

const groupSchema = z.strictObject({channel: z.string().max(64), policy: z.record(z.string(), z.unknown())});
const pauseSchema = z.strictObject({reason: z.string().max(500)});

async function list(_call: Call, {database, hub}: ApiTools): Promise<object> {
  return {groups: (await listGroups(database)).map((group) => describe(group, hub))};
}

async function show({words: [name = '']}: Call, {database, hub}: ApiTools): Promise<object> {
  return describe(await requireGroup(database, name), hub);
}

function describe({id, name, channel, document, createdAt}: StoredGroup, hub: Hub): object {
  return {id, name, channel, policy: document, createdAt, rollout: hub.summary(name)};
}

async function requireGroup(database: Database, name: string): Promise<StoredGroup> {
  const groups = await listGroups(database);
  const found = groups.find((group) => group.name === name);
  if (found !== undefined) return found;
  throw new ServerError('no-group', `there is no group ${name}`, {
    hint: `there are ${groups.map((group) => group.name).join(', ')}`,
  });
}

/** With all machines in it: those that ask again under its name are told that there is no such group. */
async function remove({words: [name = '']}: Call, {database, hub}: ApiTools): Promise<object> {
  const {id} = await requireGroup(database, name);
  const machines = await hub.dropGroup(id);
  return {group: name, removed: true, machines};
}

async function putGroup(
  {body, words: [name = '']}: Call,
  {database, hub, newId, now}: ApiTools,
): Promise<object> {
  const {channel, policy} = readBody(body, groupSchema);
  const document = policy as Partial<PolicyDocument>;
  const known = (await listGroups(database)).find((group) => group.name === name);
  if (known === undefined) await addGroup(database, {id: newId(), name, channel, document}, now());
  else if (known.channel === channel) await setGroupPolicy(database, known.id, document);
  else
    throw new ServerError(
      'exists',
      `group ${name} follows ${known.channel}; make another group for ${channel}`,
    );
  await hub.refresh(now());
  return {group: name, channel, policy};
}

async function pause({body, words: [name = ''], by}: Call, {hub, now}: ApiTools): Promise<object> {
  const {reason} = readBody(body, pauseSchema);
  await hub.pause(name, `${reason} (${by.name})`, now());
  return {group: name, stopped: hub.summary(name).state.stopped};
}

async function resume({words: [name = '']}: Call, {hub, now}: ApiTools): Promise<object> {
  await hub.resume(name, now());
  return {group: name, stopped: null};
}

async function retry({words: [name = '']}: Call, {hub, now}: ApiTools): Promise<object> {
  return {group: name, machines: await hub.retry(name, now())};
}

/** Calls about channels: which release each points to, and pointed to before. */
import {z} from '../../formats/schema.ts';
import {isVersion} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';
import {promoteRelease} from '../publish/promote.ts';
import {type StoredChannel, addChannel, listChannels, listPromotions} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {readBody, readPage, requireKnown} from './input.ts';
import {type ApiRoute, type Call, NAME} from './router.ts';
import type {ApiTools} from './tools.ts';

const ONE = new RegExp(`^channels/${NAME}$`);

export const CHANNEL_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: /^channels$/, role: 'read', act: list},
  {method: 'GET', path: ONE, role: 'read', act: show},
  {method: 'PUT', path: ONE, role: 'publish', act: promote},
  {method: 'POST', path: ONE, role: 'admin', act: add},
  {method: 'GET', path: new RegExp(`^channels/${NAME}/history$`), role: 'read', act: history},
];

const downgrade = z.boolean().default(false);
const promotionSchema = z.union([
  z.strictObject({version: z.string().refine(isVersion, 'not a version'), allowDowngrade: downgrade}),
  /** What that channel points to. */
  z.strictObject({from: z.string().max(64), allowDowngrade: downgrade}),
]);

async function list(_call: Call, {database}: ApiTools): Promise<object> {
  return {channels: await listChannels(database)};
}

async function show({words: [name = '']}: Call, {database}: ApiTools): Promise<object> {
  return requireChannel(database, name);
}

async function promote({body, words: [channel = ''], by}: Call, tools: ApiTools): Promise<object> {
  const wanted = readBody(body, promotionSchema);
  const version = 'version' in wanted ? wanted.version : await versionOf(tools.database, wanted.from);
  const {allowDowngrade} = wanted;
  const {sha256, bytes} = await promoteRelease({channel, version, allowDowngrade, by: by.name}, tools);
  return {channel, version, sha256, bytes, allowDowngrade};
}

async function add({words: [name = '']}: Call, {database}: ApiTools): Promise<object> {
  if ((await listChannels(database)).some((each) => each.name === name))
    throw new ServerError('exists', `there is a channel ${name} already`);
  await addChannel(database, name);
  return requireChannel(database, name);
}

async function history({words: [name = ''], query}: Call, {database}: ApiTools): Promise<object> {
  requireKnown(query, ['limit']);
  await requireChannel(database, name);
  return {channel: name, promotions: await listPromotions(database, name, readPage(query).limit)};
}

async function requireChannel(database: Database, name: string): Promise<StoredChannel> {
  const channels = await listChannels(database);
  const found = channels.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new ServerError('no-channel', `there is no channel ${name}`, {
    hint: `there are ${channels.map((each) => each.name).join(', ')}`,
  });
}

async function versionOf(database: Database, name: string): Promise<string> {
  const {version} = await requireChannel(database, name);
  if (version !== null) return version;
  throw new ServerError('no-release', `channel ${name} points to no release yet`);
}

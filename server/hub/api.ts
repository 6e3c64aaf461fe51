/**
 * The API of the release server for people and for pipelines: JSON over HTTP, with tokens. What it changes is in the
 * store before it answers.
 */
import {CodedError} from '../../formats/errors.ts';
import {describeIssues, z} from '../../formats/schema.ts';
import {isVersion} from '../../formats/version.ts';
import type {ServerAnswer, ServerRequest} from '../../platform/http-server.ts';
import {DatabaseError} from '../../platform/sql-pool.ts';
import {ServerError, type ServerErrorCode} from '../errors.ts';
import {type ReleaseFolder, type ServedRelease} from '../releases.ts';
import type {PolicyDocument} from '../rollout/policy.ts';
import {addGroup, listGroups, setGroupPolicy} from '../store/groups.ts';
import {addChannel, addRelease, listChannels, listReleases, promoteChannel} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {type StoredToken, type TokenRole, findToken, mayActAs} from '../store/tokens.ts';
import type {Hub} from './hub.ts';

export interface ApiTools {
  readonly database: Database;
  readonly hub: Hub;
  readonly folder: ReleaseFolder;
  /** Throws when hosts would refuse its payload. */
  readonly vouch: (release: ServedRelease) => Promise<unknown>;
  readonly newId: () => string;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

interface Call {
  readonly body: Uint8Array;
  readonly name: string;
  readonly by: StoredToken;
}

interface Route {
  readonly method: string;
  /** Its one group is the name of what it is about. */
  readonly path: RegExp;
  readonly role: TokenRole;
  readonly act: (call: Call, tools: ApiTools) => Promise<unknown>;
}

export const API_PREFIX = '/api/v1/';

const NAME = '([A-Za-z0-9][A-Za-z0-9._-]{0,63})';
const ROUTES: readonly Route[] = [
  {method: 'GET', path: /^status()$/, role: 'read', act: (_call, tools) => describe(tools)},
  {method: 'PUT', path: new RegExp(`^channels/${NAME}$`), role: 'publish', act: promote},
  {method: 'PUT', path: new RegExp(`^groups/${NAME}$`), role: 'admin', act: putGroup},
  {method: 'POST', path: new RegExp(`^groups/${NAME}/pause$`), role: 'admin', act: pause},
  {
    method: 'POST',
    path: new RegExp(`^groups/${NAME}/resume$`),
    role: 'admin',
    act: async ({name}, {hub, now}) => {
      await hub.resume(name, now());
      return {group: name, stopped: null};
    },
  },
  {
    method: 'POST',
    path: new RegExp(`^groups/${NAME}/retry$`),
    role: 'admin',
    act: async ({name}, {hub, now}) => ({group: name, machines: await hub.retry(name, now())}),
  },
];

/** For a path below API_PREFIX. */
export async function answerApi(request: ServerRequest, tools: ApiTools): Promise<ServerAnswer> {
  try {
    const token = /^Bearer (\S{1,200})$/.exec(request.headers['authorization'] ?? '')?.[1];
    const by = token === undefined ? null : await findToken(tools.database, token);
    if (by === null)
      return {
        ...json(401, {error: 'a token is needed'}),
        headers: {...JSON_HEADERS, 'www-authenticate': 'Bearer'},
      };
    const path = request.path.slice(API_PREFIX.length);
    const fitting = ROUTES.filter((route) => route.path.test(path));
    const route = fitting.find(({method}) => method === request.method);
    if (route === undefined)
      return json(fitting.length === 0 ? 404 : 405, {error: 'there is no such thing here'});
    if (!mayActAs(by.role, route.role))
      return json(403, {error: `a token with the role ${route.role} is needed, and this one has ${by.role}`});
    const name = route.path.exec(path)?.[1] ?? '';
    return json(200, await route.act({body: request.body, name, by}, tools));
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const hint = error.hint === undefined ? {} : {hint: error.hint};
    return json(statusOf(error as CodedError<string>), {error: error.message, ...hint});
  }
}

class ApiError extends CodedError<'bad-request'> {}

const promotionSchema = z.strictObject({
  version: z.string().refine(isVersion, 'not a version'),
  allowDowngrade: z.boolean().default(false),
});
const groupSchema = z.strictObject({channel: z.string().max(64), policy: z.record(z.string(), z.unknown())});
const pauseSchema = z.strictObject({reason: z.string().max(500)});

async function promote({body, name, by}: Call, tools: ApiTools): Promise<unknown> {
  const {database, hub, folder, vouch, now, signal} = tools;
  const {version, allowDowngrade} = read(body, promotionSchema);
  const found = (await folder.scan(signal)).find((state) => versionOf(state) === version);
  if (found === undefined)
    throw new ServerError('no-release', `there is no release ${version} in the folder`);
  if (found.kind === 'unfit')
    throw new ServerError('no-release', `release ${version} cannot be offered: ${found.reason}`);
  await vouch(found.release);
  await addRelease(database, found.release, now());
  await addChannel(database, name);
  await promoteChannel(database, {channel: name, version, allowDowngrade, at: now(), by: by.name});
  await hub.refresh(now());
  return {channel: name, version, sha256: found.release.sha256, bytes: found.release.bytes};
}

async function putGroup({body, name}: Call, {database, hub, newId, now}: ApiTools): Promise<unknown> {
  const {channel, policy} = read(body, groupSchema);
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

async function pause({body, name, by}: Call, {hub, now}: ApiTools): Promise<unknown> {
  const {reason} = read(body, pauseSchema);
  await hub.pause(name, `${reason} (${by.name})`, now());
  return {group: name, stopped: hub.summary(name).state.stopped};
}

async function describe({database, hub}: ApiTools): Promise<unknown> {
  const groups = await listGroups(database);
  return {
    releases: await listReleases(database),
    channels: await listChannels(database),
    groups: groups.map(({id, name, channel, document}) => ({
      id,
      name,
      channel,
      policy: document,
      rollout: hub.summary(name),
    })),
  };
}

/** Throws ApiError. */
function read<T>(body: Uint8Array, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (error) {
    throw new ApiError('bad-request', `the request is not JSON: ${(error as Error).message}`, {cause: error});
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new ApiError('bad-request', describeIssues(result.error));
  return result.data;
}

const STATUSES: Readonly<Partial<Record<ServerErrorCode, number>>> = {
  'no-group': 404,
  'no-channel': 404,
  'no-release': 404,
  exists: 409,
  older: 409,
  'other-bytes': 409,
  untrusted: 422,
  'bad-policy': 400,
};

function statusOf(error: CodedError<string>): number {
  if (error instanceof ApiError) return 400;
  if (error instanceof DatabaseError) return 503;
  return error instanceof ServerError ? (STATUSES[error.code] ?? 500) : 422;
}

function versionOf(state: Awaited<ReturnType<ReleaseFolder['scan']>>[number]): string {
  return state.kind === 'served' ? state.release.version : state.version;
}

const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

function json(status: number, value: unknown): ServerAnswer {
  return {status, headers: JSON_HEADERS, body: Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)};
}

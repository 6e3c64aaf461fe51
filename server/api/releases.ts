/** Calls about releases: publish, look at, withdraw, remove. */
import {z} from '../../formats/schema.ts';
import {isVersion} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';
import {MAX_NOTES_BYTES} from '../publish/documents.ts';
import {publishRelease} from '../publish/publish.ts';
import {
  type DocumentName,
  type Documents,
  findRelease,
  listChannels,
  listDocuments,
  listReleases,
  readDocument,
  removeRelease,
  setWithdrawn,
} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {JSON_HEADERS, json} from '../route.ts';
import {ApiError, readBody} from './input.ts';
import {ApiAnswer, type ApiRoute, type Call} from './router.ts';
import type {ApiTools} from './tools.ts';

const VERSION = '([0-9][A-Za-z0-9.+~-]{0,63})';
const ONE = new RegExp(`^releases/${VERSION}$`);

export const RELEASE_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: /^releases$/, role: 'read', act: (_call, tools) => list(tools)},
  {method: 'GET', path: ONE, role: 'read', act: show},
  {method: 'PUT', path: ONE, role: 'publish', act: publish},
  {method: 'DELETE', path: ONE, role: 'admin', act: remove},
  {method: 'POST', path: new RegExp(`^releases/${VERSION}/withdraw$`), role: 'publish', act: withdraw},
  {method: 'POST', path: new RegExp(`^releases/${VERSION}/restore$`), role: 'publish', act: restore},
  {method: 'GET', path: new RegExp(`^releases/${VERSION}/documents/([a-z]{1,20})$`), role: 'read', act: read},
];

const text = z.string().max(8 << 20);
const submissionSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().positive(),
  manifest: text,
  signatures: text,
  sbom: text.optional(),
  lock: text.optional(),
  notes: z.string().max(MAX_NOTES_BYTES).optional(),
});
const reasonSchema = z.strictObject({reason: z.string().min(1).max(500)});

/** What each document is sent as. */
const DOCUMENTS: Readonly<Record<DocumentName, {readonly type: string; readonly file: string}>> = {
  manifest: {type: 'application/json', file: 'release.json'},
  signatures: {type: 'text/plain; charset=utf-8', file: 'release.json.sig'},
  sbom: {type: 'application/spdx+json', file: 'sbom.spdx.json'},
  lock: {type: 'application/json', file: 'packages.lock.json'},
  notes: {type: 'text/plain; charset=utf-8', file: 'notes.txt'},
};

async function list({database}: ApiTools): Promise<object> {
  const channels = await listChannels(database);
  const releases = (await listReleases(database)).map((release) => ({
    ...release,
    channels: channels.filter(({version}) => version === release.version).map(({name}) => name),
  }));
  return {releases};
}

async function show({words: [version = '']}: Call, {database}: ApiTools): Promise<object> {
  const release = await requireRelease(database, version);
  const channels = (await listChannels(database)).filter((each) => each.version === version);
  return {
    ...release,
    channels: channels.map(({name}) => name),
    documents: await listDocuments(database, version),
  };
}

/** With 409 and the code `incomplete` until the payload is here; with 202 while it is being checked: ask again. */
async function publish({words: [version = ''], request, by}: Call, tools: ApiTools): Promise<object> {
  if (!isVersion(version)) throw new ApiError('bad-request', `${version} is not a version`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of request.stream ?? [request.body]) chunks.push(chunk);
  const {sha256, bytes, ...given} = readBody(Buffer.concat(chunks), submissionSchema);
  const documents: Documents = Object.fromEntries(Object.entries(given));
  const done = await tools.workshop.run(`${version} ${sha256}`, () =>
    publishRelease({version, sha256, bytes, documents, by: by.name}, tools),
  );
  return done ?? new ApiAnswer(json(202, {version, checking: true}));
}

async function withdraw({words: [version = ''], body, by}: Call, tools: ApiTools): Promise<object> {
  const {reason} = readBody(body, reasonSchema);
  await setWithdrawn(tools.database, version, `${reason} (${by.name})`);
  await tools.hub.refresh(tools.now());
  return requireRelease(tools.database, version);
}

async function restore({words: [version = '']}: Call, {database, hub, now}: ApiTools): Promise<object> {
  await setWithdrawn(database, version, null);
  await hub.refresh(now());
  return requireRelease(database, version);
}

async function remove({words: [version = '']}: Call, tools: ApiTools): Promise<object> {
  const {database, payloads, hub, now} = tools;
  const {sha256} = await removeRelease(database, version, now());
  await hub.refresh(now());
  // The row went first: a server that is killed in between has a file too many, which the next one takes away.
  await payloads.remove(sha256);
  return {version, removed: true};
}

async function read({words: [version = '', name = '']}: Call, {database}: ApiTools): Promise<object> {
  await requireRelease(database, version);
  const known = Object.hasOwn(DOCUMENTS, name) ? (name as DocumentName) : null;
  const content = known === null ? null : await readDocument(database, version, known);
  if (known === null || content === null)
    throw new ServerError('no-release', `release ${version} has no document ${name}`, {
      hint: `there are ${(await listDocuments(database, version)).map((each) => each.name).join(', ') || 'none'}`,
    });
  const {type, file} = DOCUMENTS[known];
  const headers = {
    ...JSON_HEADERS,
    'content-type': type,
    'content-disposition': `attachment; filename="${version}-${file}"`,
  };
  return new ApiAnswer({status: 200, headers, body: Buffer.from(content)});
}

async function requireRelease(database: Database, version: string): Promise<object> {
  const release = await findRelease(database, version);
  if (release === null) throw new ServerError('no-release', `there is no release ${version}`);
  return release;
}

/** Puts groups with a store on a socket: the update protocol, the payloads, and the API. */
import {join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {OMAHA_CONTENT_TYPE, decodeRequest} from '../../formats/omaha/request.ts';
import {encodeResponse} from '../../formats/omaha/response.ts';
import {writeFileAtomic} from '../../platform/files.ts';
import {type ServerAnswer, type ServerRequest, listenHttp} from '../../platform/http-server.ts';
import {MAX_REQUEST_BYTES, baseOf, only, plain} from '../app.ts';
import {CHANNEL_NAMES} from '../channels.ts';
import {answerPayload} from '../payload-file.ts';
import {type ServedRelease, openReleaseFolder} from '../releases.ts';
import {formatAccess} from '../serve.ts';
import {addGroup, listGroups} from '../store/groups.ts';
import {addChannel} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {type StorePlace, openStore} from '../store/store.ts';
import {addToken, listTokens} from '../store/tokens.ts';
import {API_PREFIX, type ApiTools, answerApi} from './api.ts';
import {openHub} from './hub.ts';

export interface HubServerOptions {
  /** Of releases with their payloads. */
  readonly releaseDir: string;
  /** Gets the first token; holds the embedded database. */
  readonly dataDir: string;
  readonly place: StorePlace;
  readonly host: string;
  readonly port: number;
  readonly tls: {readonly cert: string; readonly key: string} | null;
  readonly publicUrl: string | null;
  readonly vouch: (release: ServedRelease) => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
  readonly newId: () => string;
  /** Calls back again and again; returns what stops it. */
  readonly every: (ms: number, act: () => void) => () => void;
  readonly onLine: (text: string) => void;
  readonly onAccess: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface HubServer {
  readonly url: string;
  close(graceMs: number): Promise<void>;
}

export const TOKEN_FILE = 'admin.token';
const TICK_MS = 60_000;
const PAYLOAD_ROUTE = /^\/payloads\/([0-9a-f]{64})\/update\.payload$/;

/** Throws ListenError, DatabaseError, ServerError, and what reading the folder throws. */
export async function serveHub(options: HubServerOptions): Promise<HubServer> {
  const {releaseDir, dataDir, place, now, random, newId, every, onLine, onAccess, signal} = options;
  const publicUrl = options.publicUrl?.replace(/\/+$/, '') ?? null;
  const folder = openReleaseFolder(releaseDir);
  await folder.scan(signal);
  const onLost = (error: Error): void => onLine(`the database went away: ${error.message}`);
  const store = await openStore(place, {now: now(), onLost, signal});
  const {database} = store;
  const stopped = new AbortController();
  try {
    await begin(database, {newId, now: now()});
    await makeFirstToken(database, dataDir, {random, now: now(), onLine});
    const hub = await openHub(database, now());
    const tools: ApiTools = {database, hub, folder, vouch: options.vouch, newId, now, signal: stopped.signal};

    const update = async (request: ServerRequest): Promise<ServerAnswer> => {
      try {
        const question = decodeRequest(request.body);
        const base = publicUrl ?? baseOf(request);
        if (base === null) return plain(400, 'the request has no Host that an address can be made of');
        const answer = await hub.answer(question, ({sha256}) => `${base}/payloads/${sha256}/`, now());
        const headers = {'content-type': `${OMAHA_CONTENT_TYPE}; charset=utf-8`, 'cache-control': 'no-store'};
        return {status: 200, headers, body: encodeResponse(answer)};
      } catch (error) {
        if (error instanceof OmahaError) return plain(400, error.message);
        // With 500 hosts ask more rarely; what they told is told again.
        onLine(error instanceof Error ? error.message : String(error));
        if (error instanceof CodedError || 'code' in (error as object))
          return plain(500, 'this server has something to put right');
        throw error;
      }
    };
    const handle = (request: ServerRequest): Promise<ServerAnswer> => {
      const {path} = request;
      if (/^\/v1\/update\/?$/.test(path)) return only(request, ['POST'], () => update(request));
      if (path.startsWith(API_PREFIX)) return answerApi(request, tools);
      const sha256 = PAYLOAD_ROUTE.exec(path)?.[1];
      if (sha256 === undefined)
        return Promise.resolve(
          plain(404, `this is a release server of Caisson: /v1/update/, ${API_PREFIX}status`),
        );
      return only(request, ['GET', 'HEAD'], async () => {
        const states = await folder.scan(stopped.signal);
        const found = states.find((state) => state.kind === 'served' && state.release.sha256 === sha256);
        return found?.kind === 'served'
          ? answerPayload(found.release, request.headers)
          : plain(404, 'no such payload');
      });
    };
    const {host, port, tls} = options;
    const server = await listenHttp({
      host,
      port,
      tls,
      maxBodyBytes: MAX_REQUEST_BYTES,
      handle,
      onAccess: (record) => onAccess(formatAccess(record, now())),
    });
    const stopTicks = every(TICK_MS, () => {
      hub.tick(now()).catch((error: unknown) => onLine(`the rollouts were not kept: ${String(error)}`));
    });
    return {
      url: server.url,
      async close(graceMs) {
        stopTicks();
        await server.close(graceMs);
        stopped.abort();
        await hub.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A new store has what hosts expect to find: alpha, beta and stable, each with a group of that name. */
async function begin(
  database: Database,
  {newId, now}: {readonly newId: () => string; readonly now: number},
): Promise<void> {
  if ((await listGroups(database)).length > 0) return;
  for (const name of CHANNEL_NAMES) {
    await addChannel(database, name);
    await addGroup(database, {id: newId(), name, channel: name, document: {}}, now);
  }
}

/** Whoever can read the folder may make the others. */
async function makeFirstToken(
  database: Database,
  dataDir: string,
  {
    random,
    now,
    onLine,
  }: {
    readonly random: (bytes: number) => Buffer;
    readonly now: number;
    readonly onLine: (text: string) => void;
  },
): Promise<void> {
  if ((await listTokens(database)).length > 0) return;
  const token = await addToken(database, {name: 'admin', role: 'admin'}, {random, now});
  const path = join(dataDir, TOKEN_FILE);
  await writeFileAtomic(path, `${token}\n`, 0o600);
  onLine(`The first token is in ${path}`);
}

/** Puts groups with a store on a socket: the update protocol, the payloads, and the API. */
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {GIB, MIB} from '../../formats/units.ts';
import {writeFileAtomic} from '../../platform/files.ts';
import {listenHttp} from '../../platform/http-server.ts';
import {apiStreamLimit} from '../api/uploads.ts';
import {MAX_REQUEST_BYTES, withoutSlash} from '../app.ts';
import {hubChannelRoutes} from '../channel-metadata/hub-channels.ts';
import type {ChannelSigning} from '../channel-metadata/renew.ts';
import {CHANNEL_NAMES} from '../channels.ts';
import type {TrustedKey} from '../publish/documents.ts';
import {findMissingPayloads, sweepPayloads} from '../publish/missing.ts';
import {openPayloadStore} from '../publish/payload-store.ts';
import {type PublishTools, createWorkshop} from '../publish/publish.ts';
import {openReleaseFolder} from '../releases.ts';
import {createRouter} from '../route.ts';
import {formatAccess} from '../serve.ts';
import {addGroup, listGroups} from '../store/groups.ts';
import {pruneHistory} from '../store/history.ts';
import {addChannel} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {type StorePlace, openStore} from '../store/store.ts';
import {addToken, listTokens} from '../store/tokens.ts';
import {mountPage} from '../page/mount.ts';
import {openHub} from './hub.ts';
import {type HubParts, MISSING, hubRoutes} from './routes.ts';

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
  /** That sign channels; without any, channels are not signed. */
  readonly channelSigning?: ChannelSigning | undefined;
  readonly mirrors?: readonly string[];
  readonly redirect?: string | null;
  /** How long events and grants of machines are kept; for good without. */
  readonly keepEventsMs?: number;
  readonly vouch: PublishTools['vouch'];
  /** Those that hosts trust. */
  readonly trustedKeys: () => Promise<readonly TrustedKey[]>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
  readonly newId: () => string;
  /** Calls back again and again; returns what stops it. */
  readonly every: (ms: number, act: () => void) => () => void;
  readonly onLine: (text: string) => void;
  readonly onAccess: (text: string) => void;
  /** Hears that another server leads these rollouts now: this one has to end. */
  readonly onTaken?: (error: Error) => void;
  readonly signal: AbortSignal;
}

export interface HubServer {
  readonly url: string;
  close(graceMs: number): Promise<void>;
}

export const TOKEN_FILE = 'admin.token';
const TICK_MS = 60_000;
const MAX_PAYLOAD_BYTES = 8 * GIB;
/** Of the disk, for the database. */
const RESERVE_BYTES = 256 * MIB;
/** An upload that nobody goes on with for so long is taken away. */
const UPLOAD_LASTS_MS = 7 * 86_400_000;

/** Throws ListenError, DatabaseError, ServerError, and what reading the folder throws. */
export async function serveHub(options: HubServerOptions): Promise<HubServer> {
  const {releaseDir, dataDir, place, now, random, newId, every, onLine, onAccess, signal} = options;
  const {redirect = null} = options;
  const publicUrl = options.publicUrl === null ? null : withoutSlash(options.publicUrl);
  const folder = openReleaseFolder(releaseDir);
  const inFolder = await folder.scan(signal);
  const onLost = (error: Error): void => onLine(`the database went away: ${error.message}`);
  const store = await openStore(place, {now: now(), onLost, onTaken: options.onTaken, signal});
  const {database} = store;
  const stopped = new AbortController();
  try {
    await begin(database, {newId, now: now()});
    await makeFirstToken(database, dataDir, {random, now: now(), onLine});
    const hub = await openHub(database, now());
    const payloads = await openPayloadStore({
      ...{dir: join(dataDir, 'payloads'), maxBytes: MAX_PAYLOAD_BYTES, reserveBytes: RESERVE_BYTES, now},
    });
    for (const line of await findMissingPayloads(database, payloads, inFolder)) onLine(line);
    const parts: HubParts = {
      ...{database, hub, folder, payloads, newId, random, now, publicUrl, onLine},
      ...{vouch: options.vouch, trustedKeys: options.trustedKeys},
      workshop: createWorkshop((ms) => sleep(ms, undefined, {ref: false})),
      redirect: redirect === null ? null : withoutSlash(redirect),
      mirrors: (options.mirrors ?? []).map(withoutSlash),
      signal: stopped.signal,
    };
    const {channelSigning} = options;
    const channelRoutes =
      channelSigning === undefined ? [] : hubChannelRoutes({database, hub, ...channelSigning, now, onLine});
    const page = await mountPage(parts, publicUrl);
    const {host, port, tls} = options;
    const server = await listenHttp({
      host,
      port,
      tls,
      maxBodyBytes: MAX_REQUEST_BYTES,
      streamLimit: apiStreamLimit,
      handle: createRouter([...hubRoutes(parts), ...channelRoutes, ...page.routes], MISSING),
      onAccess: (record) => onAccess(formatAccess(record, now())),
    });
    const stopTicks = every(TICK_MS, () => {
      hub.tick(now()).catch((error: unknown) => onLine(`the rollouts were not kept: ${String(error)}`));
      if (options.keepEventsMs !== undefined)
        pruneHistory(database, now() - options.keepEventsMs).catch((error: unknown) =>
          onLine(`old events were not taken away: ${String(error)}`),
        );
      sweepPayloads(database, payloads, now() - UPLOAD_LASTS_MS).catch((error: unknown) =>
        onLine(`old uploads were not taken away: ${String(error)}`),
      );
      page.record(now()).catch((error: unknown) => onLine(`the chart was not kept: ${String(error)}`));
    });
    return {
      url: server.url,
      async close(graceMs) {
        stopTicks();
        page.close();
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

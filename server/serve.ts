/** Puts the release server on a socket, and says in lines what happens there. */
import {type AccessRecord, listenHttp} from '../platform/http-server.ts';
import {MAX_REQUEST_BYTES, createApp, withoutSlash} from './app.ts';
import {type Fleet, type SeenEvent, createFleet} from './fleet.ts';
import type {ChannelSigning} from './channel-metadata/renew.ts';
import {serveChannelRoutes} from './channel-metadata/serve-channels.ts';
import {openReleaseFolder} from './releases.ts';

export interface ServeOptions {
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly tls: {readonly cert: string; readonly key: string} | null;
  readonly publicUrl: string | null;
  /** That sign channels; without any, channels are not signed. */
  readonly channelSigning?: ChannelSigning | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Hears of every event of a host, and of what is wrong. */
  readonly onLine: (text: string) => void;
  /** Hears of every request. */
  readonly onAccess: (text: string) => void;
}

export interface ReleaseServer {
  readonly url: string;
  readonly fleet: Fleet;
  close(graceMs: number): Promise<void>;
}

/** Throws ListenError, and what reading the folder throws. */
export async function serveReleases(options: ServeOptions): Promise<ReleaseServer> {
  const {dir, host, port, tls, publicUrl, now, onLine, onAccess, channelSigning} = options;
  const fleet = createFleet();
  const releases = openReleaseFolder(dir);
  const stopped = new AbortController();
  // Before the first host asks: hashing takes a while, and a folder that is not there is better told now.
  await releases.scan(stopped.signal);
  const handle = createApp({
    dir,
    releases,
    fleet,
    publicUrl: publicUrl === null ? null : withoutSlash(publicUrl),
    now,
    onEvent: (event) => onLine(describe(event)),
    onFault: onLine,
    signal: stopped.signal,
    routes:
      channelSigning === undefined
        ? []
        : serveChannelRoutes({dir, releases, ...channelSigning, now, onLine, signal: stopped.signal}),
  });
  const server = await listenHttp({
    host,
    port,
    tls,
    maxBodyBytes: MAX_REQUEST_BYTES,
    handle,
    onAccess: (record) => onAccess(formatAccess(record, now())),
  });
  return {
    url: server.url,
    fleet,
    async close(graceMs) {
      await server.close(graceMs);
      stopped.abort();
    },
  };
}

function describe({machineId, machineAlias, version, text}: SeenEvent): string {
  return `${printable(machineAlias || machineId || 'a host')} (${printable(version)}): ${printable(text)}`;
}

/** In the order that everyone knows from other servers. */
export function formatAccess(
  {remote, method, target, status, bytes, ms, fault}: AccessRecord,
  at: number,
): string {
  const why = fault === null ? '' : ` (${printable(fault)})`;
  return `${new Date(at).toISOString()} ${remote} ${printable(method)} ${printable(target)} ${status} ${bytes} ${ms.toFixed(0)}ms${why}`;
}

/** Words of strangers on a terminal: without what it would obey to. */
function printable(text: string): string {
  return text.slice(0, 300).replaceAll(/\p{C}/gu, '?');
}

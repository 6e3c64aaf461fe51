/** Puts the FleetLock server on a socket. */
import {MAX_FLEET_LOCK_BYTES} from '../../formats/fleet-lock/protocol.ts';
import {type AccessRecord, listenHttp} from '../../platform/http-server.ts';
import {type FleetLockEvent, createFleetLockApp} from './app.ts';
import type {SlotKeeper} from './keeper.ts';
import {metricsAnswer} from './metrics.ts';

export interface FleetLockServeOptions {
  readonly keeper: SlotKeeper;
  readonly groups: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly tls: {readonly cert: string; readonly key: string} | null;
  readonly onEvent: (event: FleetLockEvent) => void;
  readonly onAccess: (record: AccessRecord) => void;
}

export interface FleetLockServer {
  readonly url: string;
  /** What is under way has so long to end. */
  close(graceMs: number): Promise<void>;
}

/** Clients give up after a while; an answer that says why is worth more to them than a silence. */
const TIMEOUT_MS = 20_000;

/** Throws ListenError. */
export async function serveFleetLock(options: FleetLockServeOptions): Promise<FleetLockServer> {
  const {keeper, groups, host, port, tls, onEvent, onAccess} = options;
  const stopped = new AbortController();
  const app = createFleetLockApp({keeper, groups, onEvent, timeoutMs: TIMEOUT_MS, signal: stopped.signal});
  const server = await listenHttp({
    host,
    port,
    tls,
    maxBodyBytes: MAX_FLEET_LOCK_BYTES,
    handle: (request) =>
      request.path === '/metrics' && request.method === 'GET'
        ? Promise.resolve(metricsAnswer(app.counts()))
        : app.handle(request),
    onAccess,
  });
  return {
    url: server.url,
    async close(graceMs) {
      await server.close(graceMs);
      stopped.abort();
    },
  };
}

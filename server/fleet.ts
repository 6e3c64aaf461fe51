/** What hosts have told the server since it started: the last of each, and the last events; bounded, in memory. */
import {maskErrorCode, nameErrorCode} from '../formats/omaha/codes.ts';
import {type RequestApp, versionBefore} from '../formats/omaha/request.ts';

export interface SeenHost {
  readonly machineId: string;
  readonly machineAlias: string;
  readonly version: string;
  readonly track: string;
  /** Milliseconds since 1970. */
  readonly lastSeenAt: number;
}

export interface SeenEvent {
  readonly at: number;
  readonly machineId: string;
  readonly machineAlias: string;
  readonly version: string;
  readonly type: number;
  readonly result: number;
  /** Without flags; null when the event had none. */
  readonly errorCode: number | null;
  readonly previousVersion: string | null;
  /** What it means, for people. */
  readonly text: string;
}

export interface Fleet {
  /** Takes note of a host that asked; gives its events. */
  see(app: RequestApp, at: number): readonly SeenEvent[];
  /** Most recent first. */
  hosts(): readonly SeenHost[];
  events(): readonly SeenEvent[];
}

const MAX_HOSTS = 10_000;
const MAX_EVENTS = 1000;

export function createFleet(): Fleet {
  const hosts = new Map<string, SeenHost>();
  let events: readonly SeenEvent[] = [];
  return {
    see(app, at) {
      const {machineId, machineAlias, version, track} = app;
      // In again, so that the first in the map is the one unheard of for longest.
      hosts.delete(machineId);
      hosts.set(machineId, {machineId, machineAlias, version, track, lastSeenAt: at});
      for (const oldest of hosts.keys()) {
        if (hosts.size <= MAX_HOSTS) break;
        hosts.delete(oldest);
      }
      const heard = app.events.map(({type, result, errorCode, previousVersion}) => ({
        at,
        machineId,
        machineAlias,
        version,
        type,
        result,
        errorCode: errorCode === null ? null : maskErrorCode(errorCode),
        previousVersion,
        text: describeEvent(type, result, errorCode, previousVersion),
      }));
      events = [...heard.toReversed(), ...events].slice(0, MAX_EVENTS);
      return heard;
    },
    hosts: () => [...hosts.values()].reverse(),
    events: () => events,
  };
}

const NAMES: Readonly<Record<string, string>> = {
  '3/1': 'installed, waits for a reboot',
  '13/1': 'download started',
  '14/1': 'download finished',
};

/** `update failed: PAYLOAD_HASH_MISMATCH`. */
export function describeEvent(
  type: number,
  result: number,
  errorCode: number | null,
  previousVersion: string | null,
): string {
  const code = errorCode === null ? 'no reason given' : nameErrorCode(errorCode);
  if (result === 0) return code === 'ROLLBACK' ? 'came back to the version before' : `update failed: ${code}`;
  if (type === 3 && result === 4) return 'update cancelled';
  if (result === 9) return `update put off: ${code}`;
  if (type === 3 && result === 2) {
    const before = versionBefore({previousVersion});
    return before === null ? 'runs' : `runs, updated from ${before}`;
  }
  return NAMES[`${type}/${result}`] ?? `event ${type}/${result}`;
}

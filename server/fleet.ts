/** What hosts have told the server since it started: the last of each, and the last events; bounded, in memory. */
import {maskErrorCode} from '../formats/omaha/codes.ts';
import type {RequestApp} from '../formats/omaha/request.ts';
import {eventLine} from './event-words.ts';

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
      const heard = app.events.map((event) => ({
        ...{at, machineId, machineAlias, version, type: event.type, result: event.result},
        errorCode: event.errorCode === null ? null : maskErrorCode(event.errorCode),
        previousVersion: event.previousVersion,
        text: eventLine(event),
      }));
      events = [...heard.toReversed(), ...events].slice(0, MAX_EVENTS);
      return heard;
    },
    hosts: () => [...hosts.values()].reverse(),
    events: () => events,
  };
}

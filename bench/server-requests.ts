/** What hosts send to a release server, as whole requests of HTTP. */
import {createHash, randomInt} from 'node:crypto';
import {encodeRequest, type OmahaEvent} from '../formats/omaha/request.ts';
import {eventOfCheck, requestOf} from '../update-engine/omaha/request-of.ts';

/** `next` is what machines that wait are going to get. */
export const VERSIONS = {current: '1.1.0', next: '1.2.0'} as const;

export interface Fleet {
  /** Machine ids of those that run what they should. */
  readonly settled: readonly string[];
  /** Of those that are held back. */
  readonly waiting: readonly string[];
}

/** A tenth of them waits. */
export function fleetOf(machines: number): Fleet {
  const ids = Array.from({length: machines}, (_, index) =>
    createHash('sha256').update(`machine ${index}`).digest('hex').slice(0, 32),
  );
  const settled = Math.floor(0.9 * machines);
  return {settled: ids.slice(0, settled), waiting: ids.slice(settled)};
}

/** A sign of life and the question, of a host that has what there is. */
export function checkRequest({settled}: Fleet): Buffer {
  return request(pick(settled), 'stable', [eventOfCheck('', VERSIONS.current)], true);
}

/** A host tells how far its update has come. */
export function eventRequest({settled}: Fleet): Buffer {
  return request(pick(settled), 'stable', [pick(EVENTS)], false);
}

/** Nine in ten are up to date; the others are held back or granted something, or tell events, half each. */
export function mixedRequest(fleet: Fleet): Buffer {
  const dice = randomInt(100);
  if (dice < 90) return checkRequest(fleet);
  if (dice < 95) return request(pick(fleet.waiting), 'beta', [eventOfCheck('', VERSIONS.current)], true);
  return request(pick(fleet.waiting), 'beta', [pick(EVENTS)], false);
}

const EVENTS: readonly OmahaEvent[] = [
  {type: 13, result: 1, errorCode: null, previousVersion: null},
  {type: 14, result: 1, errorCode: null, previousVersion: null},
  {type: 3, result: 1, errorCode: null, previousVersion: null},
];

function request(machineId: string, group: string, events: readonly OmahaEvent[], asks: boolean): Buffer {
  const host = {
    version: VERSIONS.current,
    alephVersion: '1.0.0',
    group,
    machineId,
    machineAlias: 'rack 4',
    bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566',
    oem: {id: 'qemu', version: ''},
  };
  const updateCheck = asks ? {targetVersionPrefix: ''} : null;
  const body = encodeRequest(requestOf(host, {by: 'timer', ping: asks, updateCheck, events}));
  const head = [
    'POST /v1/update/ HTTP/1.1',
    'Host: updates.example.com:8000',
    'Content-Type: text/xml',
    'Accept-Encoding: identity',
    'User-Agent: caisson-update-engine',
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

function pick<T>(from: readonly T[]): T {
  const found = from[randomInt(from.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

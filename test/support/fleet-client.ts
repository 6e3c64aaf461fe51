/** Hosts that ask a release server, in the words of the engine: many of them, one call each. */
import {CAISSON_APP_ID, type OmahaEvent, encodeRequest} from '../../formats/omaha/request.ts';
import {type ResponseApp, decodeResponse} from '../../formats/omaha/response.ts';
import {requestOf} from '../../update-engine/omaha/request-of.ts';

export const EVENTS = {
  downloading: {type: 13, result: 1, errorCode: null, previousVersion: null},
  installed: {type: 3, result: 1, errorCode: null, previousVersion: null},
  rolledBack: {type: 3, result: 0, errorCode: 44, previousVersion: null},
} as const satisfies Record<string, OmahaEvent>;

export interface HostWords {
  readonly group?: string;
  readonly version?: string;
  readonly events?: readonly OmahaEvent[];
  /** Whether it asks for an update; it does unless it is said. */
  readonly asks?: boolean;
}

export function hostRequest(machineId: string, words: HostWords = {}): Uint8Array {
  const {group = 'stable', version = '1.0.0', events = [], asks = true} = words;
  const host = {
    ...{version, alephVersion: '', group, machineId, machineAlias: ''},
    ...{bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566', oem: {id: 'qemu', version: ''}},
  };
  const updateCheck = asks ? {targetVersionPrefix: ''} : null;
  return encodeRequest(requestOf(host, {by: 'timer', ping: asks, updateCheck, events}));
}

/** What the server says to one host; a number when it says an HTTP status beside 200. Throws when it does not answer. */
export async function tellServer(
  url: string,
  machineId: string,
  words: HostWords = {},
): Promise<ResponseApp | number> {
  const body = hostRequest(machineId, words);
  const answer = await fetch(`${url}/v1/update/`, {
    method: 'POST',
    body,
    signal: AbortSignal.timeout(120_000),
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.status !== 200) return answer.status;
  const app = decodeResponse(bytes).apps.find(({appId}) => appId === CAISSON_APP_ID);
  if (app === undefined) throw new Error('the answer is about another app');
  return app;
}

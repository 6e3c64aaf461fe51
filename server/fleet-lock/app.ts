/**
 * A FleetLock server as a function from requests to answers. The kinds of its reasons are those of airlock, so that
 * what looks at one can look at the other; a slot that is taken is 409 here, because nothing is wrong with the server.
 *
 * Rejected: a semaphore document of its own under a key of its own, as airlock has it. Hosts of two kinds would then
 * count separately, and reboot a cluster together.
 */
import {LockError} from '../../coordination/lock.ts';
import {
  FLEET_LOCK_HEADER,
  FLEET_LOCK_PATHS,
  type FleetLockClient,
  FleetLockError,
  type FleetLockVerb,
  decodeFleetLockRequest,
  encodeFleetLockFailure,
} from '../../formats/fleet-lock/protocol.ts';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import type {SlotKeeper} from './keeper.ts';

export type FleetLockOutcome =
  | 'granted'
  | 'released'
  | 'full'
  | 'invalid_client_identity'
  | 'unknown_group'
  | 'failed_sem_init'
  | 'failed_lock';

export interface FleetLockEvent {
  readonly verb: FleetLockVerb;
  /** Null when the request did not tell. */
  readonly client: FleetLockClient | null;
  readonly remote: string;
  readonly outcome: FleetLockOutcome;
  /** For people; empty when there is nothing to add. */
  readonly detail: string;
}

export interface FleetLockAppOptions {
  readonly keeper: SlotKeeper;
  /** Those that may be asked for. Any other name is a typing error that would make a lock of its own. */
  readonly groups: readonly string[];
  readonly onEvent: (event: FleetLockEvent) => void;
  /** Of one request, until it is answered that the keeper cannot be asked. */
  readonly timeoutMs: number;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
}

export interface FleetLockApp {
  handle(request: ServerRequest): Promise<ServerAnswer>;
  /** Answers so far. */
  counts(): ReadonlyMap<FleetLockOutcome, number>;
}

const STATUS: Readonly<Record<FleetLockOutcome, number>> = {
  granted: 200,
  released: 200,
  full: 409,
  invalid_client_identity: 400,
  unknown_group: 400,
  failed_sem_init: 500,
  failed_lock: 500,
};
const VERBS = Object.entries(FLEET_LOCK_PATHS) as readonly (readonly [FleetLockVerb, string])[];

export function createFleetLockApp(options: FleetLockAppOptions): FleetLockApp {
  const {keeper, groups, onEvent, timeoutMs, signal} = options;
  const counts = new Map<FleetLockOutcome, number>();

  async function decide(
    verb: FleetLockVerb,
    request: ServerRequest,
  ): Promise<Omit<FleetLockEvent, 'verb' | 'remote'>> {
    let client: FleetLockClient | null = null;
    try {
      if (request.headers[FLEET_LOCK_HEADER] !== 'true')
        throw new FleetLockError('bad-request', `the header "${FLEET_LOCK_HEADER}: true" is missing`);
      client = decodeFleetLockRequest(decodeUtf8(request.body));
    } catch (error) {
      if (!(error instanceof FleetLockError)) throw error;
      return {client, outcome: 'invalid_client_identity', detail: error.message};
    }
    const {id, group} = client;
    if (!groups.includes(group)) return {client, outcome: 'unknown_group', detail: `unknown group ${group}`};
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      if (verb === 'steady-state') {
        await keeper.release(group, id, until);
        return {client, outcome: 'released', detail: ''};
      }
      const answer = await keeper.acquire(group, id, `FleetLock, asked from ${request.remote}`, until);
      if (answer.kind === 'held') return {client, outcome: 'granted', detail: ''};
      const {max, holders} = answer;
      return {client, outcome: 'full', detail: `all ${max ?? holders} semaphore slots are taken`};
    } catch (error) {
      if (error instanceof LockError)
        return {
          client,
          outcome: error.code === 'contended' ? 'failed_lock' : 'failed_sem_init',
          detail: error.message,
        };
      if (!until.aborted) throw error;
      return {client, outcome: 'failed_sem_init', detail: 'the keeper of the slots does not answer in time'};
    }
  }

  return {
    counts: () => counts,
    async handle(request) {
      const [verb] = VERBS.find(([, path]) => path === request.path) ?? [];
      if (verb === undefined) return plain(404, 'there is nothing here');
      if (request.method !== 'POST') return plain(405, 'ask by POST', {allow: 'POST'});
      const decision = await decide(verb, request);
      const {outcome, detail} = decision;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      onEvent({verb, remote: request.remote, ...decision});
      const status = STATUS[outcome];
      if (status === 200) return {status, headers: {}, body: new Uint8Array()};
      return {
        status,
        headers: {'content-type': 'application/json'},
        body: Buffer.from(encodeFleetLockFailure(outcome === 'full' ? 'failed_lock' : outcome, detail)),
      };
    },
  };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch (error) {
    throw new FleetLockError('bad-request', 'the request is no UTF-8', {cause: error});
  }
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): ServerAnswer {
  return {
    status,
    headers: {'content-type': 'text/plain; charset=utf-8', ...headers},
    body: Buffer.from(`${text}\n`),
  };
}

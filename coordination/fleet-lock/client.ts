/**
 * The reboot lock by the protocol of Zincati: some server keeps the slots, and tells nothing but yes or no.
 *
 * That a host keeps its slot after a rollback needs no request: the slot is held until steady-state is said.
 */
import {appSpecificId} from '../../formats/app-specific-id.ts';
import {
  FLEET_LOCK_HEADER,
  FLEET_LOCK_PATHS,
  type FleetLockVerb,
  describeFleetLockFailure,
  encodeFleetLockRequest,
} from '../../formats/fleet-lock/protocol.ts';
import type {FleetLockSettings} from '../../formats/reboot-settings.ts';
import {HttpError} from '../../platform/http-error.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {LockError, type RebootLock} from '../lock.ts';

export interface FleetLockOptions {
  readonly settings: FleetLockSettings;
  /** Of this host: see fleetLockId. */
  readonly id: string;
  readonly http: HttpExchange & {close(): Promise<void>};
  readonly timeoutMs?: number;
}

/** Ours alone, so that the id of a host here is none of its ids elsewhere. Made by `systemd-id128 new`. */
export const FLEET_LOCK_APPLICATION = 'cdd4a7f2a3fd4c38a889c2252d74a7fb';

/** A server may have to ask others; one that takes longer is asked again. */
const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 16_384;

/** What servers know a host by. Throws MachineIdError. */
export function fleetLockId(machineId: string): string {
  return appSpecificId(machineId, FLEET_LOCK_APPLICATION);
}

export function openFleetLock({settings, id, http, timeoutMs = TIMEOUT_MS}: FleetLockOptions): RebootLock {
  const {url, group} = settings;

  /** Null when it was granted, else the server's reason. Throws LockError when that is not known. */
  async function ask(verb: FleetLockVerb, signal: AbortSignal): Promise<string | null> {
    const target = `${url}${FLEET_LOCK_PATHS[verb]}`;
    const ended = new AbortController();
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await http.exchange(target, {
        method: 'POST',
        headers: {
          [FLEET_LOCK_HEADER]: 'true',
          'content-type': 'application/json',
          accept: 'application/json',
        },
        body: Buffer.from(encodeFleetLockRequest({id, group})),
        signal: AbortSignal.any([signal, late, ended.signal]),
      });
      if (answer.status >= 200 && answer.status <= 299) return null;
      const reason = describeFleetLockFailure(await readText(answer.body));
      if (reason !== null && answer.status >= 400) return reason;
      throw new LockError('refused', `${target} answered ${answer.status} without a reason of FleetLock`, {
        hint: 'does FLEET_LOCK_URL name a FleetLock server?',
      });
    } catch (error) {
      signal.throwIfAborted();
      throw explain(error, target, late.aborted);
    } finally {
      ended.abort();
    }
  }

  return {
    where: `FleetLock at ${url}, group ${group}`,
    async acquire(_words, signal) {
      const reason = await ask('pre-reboot', signal);
      if (reason === null) return {kind: 'held', since: null};
      if (isFull(reason)) return {kind: 'full', max: null, holders: [], position: null, waiting: null};
      throw new LockError('refused', `the FleetLock server at ${url} refuses: ${reason}`);
    },
    keep: () => Promise.resolve('kept'),
    async release(signal) {
      const reason = await ask('steady-state', signal);
      if (reason === null) return 'released';
      throw new LockError('refused', `the FleetLock server at ${url} does not take the slot back: ${reason}`);
    },
    close: () => http.close(),
  };
}

/** airlock's word for it, and ours; of other servers any reason is shown as it is. */
function isFull(reason: string): boolean {
  return /^failed_lock: .*(all .*slots|semaphore|slots? (are|is) (taken|locked))/i.test(reason);
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function explain(error: unknown, target: string, isLate: boolean): unknown {
  if (error instanceof LockError) return error;
  if (isLate)
    return new LockError('timed-out', `${target} did not answer in time`, {cause: error, retryable: true});
  if (!(error instanceof HttpError)) return error;
  const {code, message, hint} = error;
  const options = {cause: error, retryable: true, ...(hint === undefined ? {} : {hint})};
  if (code === 'untrusted') return new LockError('certificate', message, options);
  return new LockError(code === 'too-slow' ? 'timed-out' : 'unreachable', message, options);
}

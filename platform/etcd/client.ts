/**
 * etcd's key-value store, as much of it as a lock needs, over the members' HTTP gateway.
 *
 * A member that cannot be asked is passed over for the next; one request therefore ends in one error that tells of all
 * of them. What may have been done is not asked for again: only the caller knows how to find out.
 *
 * Rejected: gRPC. It would bring in a large library for five calls that every member also answers as JSON.
 */
import type {z} from '../../formats/schema.ts';
import type {HttpExchange} from '../http.ts';
import {EtcdError} from './errors.ts';
import {askMember} from './member.ts';
import type {TlsFiles} from './tls-alert.ts';
import {
  type Change,
  type Condition,
  type KeyValue,
  type RangeAsk,
  alarmsSchema,
  keepAliveSchema,
  keyValueOf,
  leaseSchema,
  rangeBody,
  rangeSchema,
  statusSchema,
  tokenSchema,
  txnBody,
  txnSchema,
} from './wire.ts';

export interface EtcdOptions {
  /** Base addresses; at least one. */
  readonly endpoints: readonly string[];
  readonly http: HttpExchange;
  /** With which `http` connects, to find out why it is refused. */
  readonly tls?: TlsFiles;
  /** Null: without. */
  readonly user: {readonly name: string; readonly password: string} | null;
  /** For one member to answer. */
  readonly attemptTimeoutMs?: number;
  /** For one call, whatever number of members it takes. */
  readonly timeoutMs?: number;
}

/** Every call throws EtcdError, or what its signal says. */
export interface EtcdClient {
  /** Linearizable: what was acknowledged before is seen. */
  range(
    ask: RangeAsk,
    signal: AbortSignal,
  ): Promise<{readonly kvs: readonly KeyValue[]; readonly count: number; readonly revision: bigint}>;
  /** Whether all conditions held and the changes were made. An error may leave that open, see `mayBeDone`. */
  txn(conditions: readonly Condition[], changes: readonly Change[], signal: AbortSignal): Promise<boolean>;
  grantLease(seconds: number, signal: AbortSignal): Promise<bigint>;
  /** False when the lease is over. */
  keepLease(lease: bigint, signal: AbortSignal): Promise<boolean>;
  /** What each member says of itself, in the order of the endpoints. */
  members(signal: AbortSignal): Promise<readonly EtcdMember[]>;
}

export type EtcdMember =
  | {
      readonly kind: 'answers';
      readonly endpoint: string;
      readonly version: string;
      readonly isLeader: boolean;
      readonly isLearner: boolean;
      readonly hasLeader: boolean;
      readonly dbBytes: number;
      /** Alarms and complaints, such as `NOSPACE`. */
      readonly problems: readonly string[];
    }
  | {readonly kind: 'failed'; readonly endpoint: string; readonly error: EtcdError};

/** etcd itself waits 5 s and two elections before it gives up a request. */
const ATTEMPT_TIMEOUT_MS = 4000;
const TIMEOUT_MS = 15_000;

export function createEtcdClient(options: EtcdOptions): EtcdClient {
  const {
    endpoints,
    http,
    tls = {},
    user,
    attemptTimeoutMs = ATTEMPT_TIMEOUT_MS,
    timeoutMs = TIMEOUT_MS,
  } = options;
  /** Of the member that answered last. */
  let preferred = 0;
  let token: string | null = null;
  /** etcd has users switched off, whatever we were told. */
  let isAuthOff = user === null;

  async function ask<Schema extends z.ZodType>(
    method: string,
    body: unknown,
    answer: Schema,
    signal: AbortSignal,
    isWrite = false,
  ): Promise<z.output<Schema>> {
    const failures: EtcdError[] = [];
    const endsAt = performance.now() + timeoutMs;
    for (let index = 0; index < endpoints.length; index += 1) {
      const number = (preferred + index) % endpoints.length;
      const endpoint = endpoints[number] ?? '';
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) break;
      const once = (path: string, content: unknown, schema: z.ZodType): Promise<unknown> =>
        askMember({
          http,
          tls,
          endpoint,
          method: path,
          body: content,
          answer: schema,
          token: path === AUTHENTICATE ? null : token,
          timeoutMs: Math.min(attemptTimeoutMs, leftMs),
          signal,
        });
      try {
        const result = await authenticated(once, () => once(method, body, answer));
        preferred = number;
        return result as z.output<Schema>;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        failures.push(error);
        if (isWrite && error.mayBeDone) break;
        if (!isWorthAnother(error)) break;
      }
    }
    throw joinFailures(failures);
  }

  /** Fetches a token when there is none, and anew when etcd does not know the one we have. */
  async function authenticated<T>(
    once: (path: string, content: unknown, schema: z.ZodType) => Promise<unknown>,
    call: () => Promise<T>,
  ): Promise<T> {
    if (user === null) return call();
    if (token === null && !isAuthOff) await authenticate(once, user);
    try {
      return await call();
    } catch (error) {
      if (
        !(error instanceof EtcdError) ||
        !/auth token|auth store|user name is empty/.test(error.saying ?? '')
      )
        throw error;
    }
    await authenticate(once, user);
    return call();
  }

  async function authenticate(
    once: (path: string, content: unknown, schema: z.ZodType) => Promise<unknown>,
    {name, password}: {name: string; password: string},
  ): Promise<void> {
    try {
      token = ((await once(AUTHENTICATE, {name, password}, tokenSchema)) as {token: string}).token;
      isAuthOff = false;
    } catch (error) {
      token = null;
      if (!(error instanceof EtcdError) || !/authentication is not enabled/.test(error.saying ?? ''))
        throw withoutDoubt(error);
      isAuthOff = true;
    }
  }

  async function memberAt(endpoint: string, signal: AbortSignal): Promise<EtcdMember> {
    const call = {http, tls, endpoint, body: {}, token, timeoutMs: attemptTimeoutMs, signal};
    try {
      const status = await askMember({...call, method: 'maintenance/status', answer: statusSchema});
      const hasLeader = status.leader !== '0';
      const alarms = hasLeader
        ? await askMember({...call, body: {action: 'GET'}, method: 'maintenance/alarm', answer: alarmsSchema})
        : {alarms: []};
      const own = alarms.alarms.filter(({memberID}) => [status.header.member_id, '0'].includes(memberID));
      return {
        kind: 'answers',
        endpoint,
        version: status.version,
        isLeader: hasLeader && status.leader === status.header.member_id,
        isLearner: status.isLearner,
        hasLeader,
        dbBytes: Number(status.dbSize),
        problems: [...new Set([...own.map(({alarm}) => alarm), ...status.errors])],
      };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return {kind: 'failed', endpoint, error};
    }
  }

  return {
    async range(request, signal) {
      const {kvs, count, header} = await ask('kv/range', rangeBody(request), rangeSchema, signal);
      return {kvs: kvs.map(keyValueOf), count: Number(count), revision: header.revision};
    },
    async txn(conditions, changes, signal) {
      return (await ask('kv/txn', txnBody(conditions, changes), txnSchema, signal, true)).succeeded;
    },
    async grantLease(seconds, signal) {
      return (await ask('lease/grant', {TTL: String(seconds)}, leaseSchema, signal)).ID;
    },
    async keepLease(lease, signal) {
      return (await ask('lease/keepalive', {ID: String(lease)}, keepAliveSchema, signal)).result.TTL > 0n;
    },
    members: (signal) => Promise.all(endpoints.map((endpoint) => memberAt(endpoint, signal))),
  };
}

const AUTHENTICATE = 'auth/authenticate';

/** What all members would say alike is not asked of the next. */
function isWorthAnother({code, saying}: EtcdError): boolean {
  if (code === 'credentials' || code === 'refused') return false;
  return code !== 'read-only' || /learner/.test(saying ?? '');
}

/** From the most telling to the least. */
const TELLING = [
  'credentials',
  'certificate',
  'read-only',
  'refused',
  'no-quorum',
  'not-etcd',
  'timed-out',
  'unreachable',
] as const;

/** One error for all members, with the code of the most telling. */
function joinFailures(failures: readonly EtcdError[]): EtcdError {
  const rank = ({code}: EtcdError): number => TELLING.indexOf(code);
  const [worst, ...others] = [...failures].sort((a, b) => rank(a) - rank(b));
  if (worst === undefined) return new EtcdError('timed-out', 'no time was left to ask etcd');
  if (others.length === 0) return worst;
  return new EtcdError(worst.code, [worst, ...others].map(({message}) => message).join('; '), {
    cause: worst,
    hint: worst.hint,
    mayBeDone: failures.some(({mayBeDone}) => mayBeDone),
    ...(worst.saying === null ? {} : {saying: worst.saying}),
  });
}

/** Nothing was written when not even the token came. */
function withoutDoubt(error: unknown): unknown {
  if (!(error instanceof EtcdError) || !error.mayBeDone) return error;
  const {code, message, hint} = error;
  return new EtcdError(code, message, {
    cause: error,
    hint,
    ...(error.saying === null ? {} : {saying: error.saying}),
  });
}

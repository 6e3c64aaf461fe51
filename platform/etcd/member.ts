/** One question to one member of the cluster: posted, bounded, timed, parsed. Nothing is tried again here. */
import {type z, describeIssues} from '../../formats/schema.ts';
import {HttpError, explainHttpFailure} from '../http-error.ts';
import type {HttpExchange} from '../http.ts';
import {EtcdError} from './errors.ts';
import {faultOfAnswer, faultOfRequest} from './faults.ts';
import {type TlsFiles, findTlsAlert} from './tls-alert.ts';
import {failureSchema} from './wire.ts';

export interface MemberCall<Schema extends z.ZodType> {
  readonly http: HttpExchange;
  /** With which `http` connects. */
  readonly tls: TlsFiles;
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Below /v3/. */
  readonly method: string;
  readonly body: unknown;
  readonly answer: Schema;
  readonly token: string | null;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A thousand waiting hosts are 200 KiB. */
const MAX_ANSWER_BYTES = 8 << 20;
/** etcd gives up a little before we do, and then can say why. */
const SERVER_MARGIN_MS = 200;

/** Throws EtcdError, or what the signal says. */
export async function askMember<Schema extends z.ZodType>(
  call: MemberCall<Schema>,
): Promise<z.output<Schema>> {
  const {endpoint, method, signal, timeoutMs} = call;
  const stopped = new AbortController();
  const timer = setTimeout(() => stopped.abort(), timeoutMs);
  try {
    const {status, text} = await exchange(call, AbortSignal.any([signal, stopped.signal]));
    const value = parseJson(text);
    if (status !== 200) throw failureOf(endpoint, status, value);
    const result = call.answer.safeParse(value);
    if (result.success) return result.data;
    throw notEtcd(endpoint, `its answer to ${method} makes no sense: ${describeIssues(result.error)}`);
  } catch (error) {
    signal.throwIfAborted();
    if (stopped.signal.aborted) throw faultOfRequest(endpoint, error, true);
    throw faultOfRequest(endpoint, await explained(call, error), false);
  } finally {
    clearTimeout(timer);
    stopped.abort();
  }
}

/** When a connection over TLS ended without a word, the reason may be had by asking once more without HTTP. */
async function explained({endpoint, tls, signal}: MemberCall<z.ZodType>, error: unknown): Promise<unknown> {
  const isSilent = error instanceof HttpError && ['unreachable', 'broken-off'].includes(error.code);
  if (!isSilent || !endpoint.startsWith('https:') || !/closed|disconnected|hang up/.test(error.message))
    return error;
  const alert = await findTlsAlert(endpoint, tls, signal);
  return alert === null ? error : explainHttpFailure(endpoint, alert);
}

async function exchange(
  {http, endpoint, method, body, token, timeoutMs}: MemberCall<z.ZodType>,
  signal: AbortSignal,
): Promise<{status: number; text: string}> {
  const answer = await http.exchange(`${endpoint}/v3/${method}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // A member without a leader says so at once rather than after its own patience is over. It tells of itself anyway.
      ...(method.startsWith('maintenance/') ? {} : {'grpc-metadata-hasleader': 'true'}),
      // What is left of a longer time has fractions, which etcd refuses.
      'grpc-timeout': `${Math.max(1, Math.floor(timeoutMs - SERVER_MARGIN_MS))}m`,
      ...(token === null ? {} : {authorization: token}),
    },
    body: Buffer.from(JSON.stringify(body)),
    signal,
  });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES)
      throw notEtcd(endpoint, `it answers with more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return {status: answer.status, text: Buffer.concat(chunks).toString('utf8')};
}

function failureOf(endpoint: string, status: number, value: unknown): EtcdError {
  const failure = failureSchema.safeParse(value);
  const saying = failure.success ? (failure.data.message ?? failure.data.error) : undefined;
  if (saying !== undefined && saying !== 'Not Found')
    return faultOfAnswer(endpoint, status, saying.slice(0, 500));
  return notEtcd(endpoint, `it answered ${status}`);
}

function notEtcd(endpoint: string, what: string): EtcdError {
  return new EtcdError('not-etcd', `${endpoint} does not speak etcd's v3 API: ${what}`, {
    // Who knows what is between us and etcd.
    mayBeDone: true,
    hint: 'etcd 3.4 or newer answers below /v3/ on its client address',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

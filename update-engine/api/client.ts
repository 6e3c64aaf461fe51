/** The asking side of the local API. Answers are checked against the same schemas that the engine builds them from. */
import {CodedError} from '../../formats/errors.ts';
import {describeIssues, type z} from '../../formats/schema.ts';
import {LocalHttpError, askLocal} from '../../platform/local-http.ts';
import {
  ApiError,
  type ApiErrorKind,
  type Done,
  HTTP_STATUS_OF,
  MAX_ANSWER_BYTES,
  doneSchema,
  errorSchema,
} from './protocol.ts';
import {type Status, statusSchema} from './status.ts';

export type ClientErrorCode = 'not-running' | 'not-root' | 'broken-off' | 'not-understood';
export class ClientError extends CodedError<ClientErrorCode> {}

export interface EngineClient {
  status(signal?: AbortSignal): Promise<Status>;
  /** Waits until the revision is another than this, for a while at most. */
  statusAfter(revision: number, signal?: AbortSignal): Promise<Status>;
  metrics(): Promise<string>;
  order(path: string, request?: object): Promise<Done>;
}

/** Orders that write the partition table or read a whole slot are waited for. */
const ORDER_TIMEOUT_MS = 10 * 60_000;
const STATUS_TIMEOUT_MS = 20_000;
const WAIT_SECONDS = 25;

export function createEngineClient(paths: {statusSocket: string; controlSocket: string}): EngineClient {
  async function ask(target: string, timeoutMs: number, signal?: AbortSignal): Promise<string> {
    return readAnswer(
      await reach(paths.statusSocket, {target, timeoutMs, signal, maxBytes: MAX_ANSWER_BYTES}),
    );
  }
  return {
    status: async (signal) => parse(statusSchema, await ask('/v1/status', STATUS_TIMEOUT_MS, signal)),
    async statusAfter(revision, signal) {
      const target = `/v1/status?after=${revision}&wait=${WAIT_SECONDS}`;
      return parse(statusSchema, await ask(target, STATUS_TIMEOUT_MS + WAIT_SECONDS * 1000, signal));
    },
    metrics: () => ask('/metrics', STATUS_TIMEOUT_MS),
    async order(path, request = {}) {
      const answer = await reach(paths.controlSocket, {
        method: 'POST',
        target: path,
        body: JSON.stringify(request),
        timeoutMs: ORDER_TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
      });
      return parse(doneSchema, readAnswer(answer));
    },
  };
}

async function reach(
  socketPath: string,
  options: Parameters<typeof askLocal>[1],
): ReturnType<typeof askLocal> {
  try {
    return await askLocal(socketPath, options);
  } catch (error) {
    if (!(error instanceof LocalHttpError)) throw error;
    if (error.code === 'not-running') {
      throw new ClientError('not-running', 'the update engine is not running', {
        cause: error,
        hint: 'systemctl status update-engine tells why; sudo systemctl restart update-engine starts it',
      });
    }
    if (error.code === 'forbidden')
      throw new ClientError('not-root', 'only root may change this', {
        cause: error,
        hint: 'put sudo before it',
      });
    throw new ClientError('broken-off', `the update engine gave no answer: ${error.message}`, {cause: error});
  }
}

function readAnswer({status, body}: {status: number; body: string}): string {
  if (status === 200) return body;
  const {error} = parse(errorSchema, body);
  const kind = Object.hasOwn(HTTP_STATUS_OF, error.kind) ? (error.kind as ApiErrorKind) : 'failed';
  throw new ApiError(kind, error.message, error.hint === null ? {} : {hint: error.hint});
}

function parse<Schema extends z.ZodType>(schema: Schema, body: string): z.infer<Schema> {
  const result = schema.safeParse(parseJson(body));
  if (result.success) return result.data;
  throw new ClientError(
    'not-understood',
    `the engine's answer is not understood: ${describeIssues(result.error)}`,
    {
      hint: 'are the engine and this program of one release?',
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Speaks to the API of a release server: JSON there and back, and what it refuses as an error of ours. */
import {CodedError, type CodedErrorOptions} from '../../formats/errors.ts';
import {type z, describeIssues} from '../../formats/schema.ts';
import {collectBody} from '../../platform/http-body.ts';
import type {HttpExchange} from '../../platform/http.ts';

export class RemoteError extends CodedError<'refused' | 'no-token' | 'bad-answer'> {
  /** Of the HTTP answer; 0 without one. */
  readonly status: number;
  /** The word that the server has for it; empty without one. */
  readonly reason: string;

  constructor(
    code: 'refused' | 'no-token' | 'bad-answer',
    message: string,
    options: CodedErrorOptions & {readonly status?: number; readonly reason?: string} = {},
  ) {
    super(code, message, options);
    this.status = options.status ?? 0;
    this.reason = options.reason ?? '';
  }
}

export interface RemoteRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below /api/v1/; parts of strangers have to be encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as it is when it is bytes, else as JSON. */
  readonly body?: unknown;
}

export interface RemoteAnswer {
  readonly status: number;
  readonly value: unknown;
}

export interface Remote {
  readonly url: string;
  /** Throws RemoteError for what the server refuses, HttpError when it is not to be reached. */
  ask(request: RemoteRequest): Promise<RemoteAnswer>;
}

/** A page of a thousand machines has half a megabyte. */
const MAX_ANSWER_BYTES = 32 << 20;

export function createRemote(
  http: HttpExchange,
  {url, token, signal}: {readonly url: string; readonly token: string; readonly signal: AbortSignal},
): Remote {
  const base = `${url.replace(/\/+$/, '')}/api/v1/`;
  return {
    url,
    async ask({method, path, query = {}, body}) {
      const words = new URLSearchParams(
        Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const address = `${base}${path}${words.size === 0 ? '' : `?${words.toString()}`}`;
      const isBytes = body instanceof Uint8Array;
      const stopped = new AbortController();
      try {
        const answer = await http.exchange(address, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            'accept-encoding': 'identity',
            ...(body === undefined
              ? {}
              : {'content-type': isBytes ? 'application/octet-stream' : 'application/json'}),
          },
          ...(body === undefined ? {} : {body: isBytes ? body : Buffer.from(JSON.stringify(body))}),
          signal: AbortSignal.any([signal, stopped.signal]),
        });
        const text = Buffer.from(await collectBody(address, answer.body, MAX_ANSWER_BYTES)).toString('utf8');
        return read(url, answer.status, text);
      } finally {
        stopped.abort();
      }
    },
  };
}

function read(url: string, status: number, text: string): RemoteAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RemoteError('bad-answer', `${url} answered ${status}, and no JSON`, {
      cause: error,
      status,
      hint: '--server is the address of a caisson server, without a path',
    });
  }
  if (status < 300) return {status, value};
  const told = value as {readonly error?: unknown; readonly hint?: unknown; readonly code?: unknown};
  const word = (part: unknown): string | undefined => (typeof part === 'string' ? part : undefined);
  const hint = word(told.hint) ?? HINTS[status];
  throw new RemoteError('refused', word(told.error) ?? `${url} answered ${status}`, {
    status,
    reason: word(told.code) ?? '',
    ...(hint === undefined ? {} : {hint}),
  });
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'the token is unknown to this server, or was revoked: --token-file, or CAISSON_TOKEN',
  403: 'an admin makes tokens: caisson token add NAME --role publish',
};

/** Throws RemoteError 'bad-answer'. */
export function readAnswer<T>(answer: RemoteAnswer, schema: z.ZodType<T>): T {
  const result = schema.safeParse(answer.value);
  if (result.success) return result.data;
  throw new RemoteError('bad-answer', `the server answered something else: ${describeIssues(result.error)}`);
}

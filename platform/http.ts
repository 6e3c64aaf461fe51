/**
 * The one door to HTTP: every request has a deadline and a largest length, and proxies come from the environment or
 * from the caller.
 */
import {createHash} from 'node:crypto';
import {open, rename, rm} from 'node:fs/promises';
import {type Dispatcher, EnvHttpProxyAgent, ProxyAgent, interceptors, request} from 'undici';
import {CodedError} from '../formats/errors.ts';

export type HttpErrorCode = 'unreachable' | 'bad-status' | 'too-long' | 'wrong-hash' | 'wrong-length';

export class HttpError extends CodedError<HttpErrorCode> {
  /** The status of a `bad-status` answer. */
  readonly status: number | undefined;

  constructor(code: HttpErrorCode, message: string, options: {cause?: unknown; status?: number} = {}) {
    super(code, message, {...options, retryable: code === 'unreachable' || (options.status ?? 0) >= 500});
    this.status = options.status;
  }
}

export interface HttpClient {
  /** The body of a 200 answer, at most `maxBytes` long. */
  getBytes(url: string, options: {maxBytes: number; signal?: AbortSignal | undefined}): Promise<Buffer>;
  /**
   * Downloads to `path` by way of a temporary name; the file appears only when its length and SHA-256 are the
   * expected ones. `onBytes` hears the length of every chunk.
   */
  download(
    url: string,
    path: string,
    expected: {bytes: number; sha256: string},
    options?: {signal?: AbortSignal | undefined; onBytes?: (count: number) => void},
  ): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 30_000;
/** Without a byte for this long a transfer counts as dead. */
const STALL_TIMEOUT_MS = 60_000;
const MAX_REDIRECTIONS = 5;
const ATTEMPTS = 3;

/** `proxy` overrides the proxy variables of the environment. */
export function createHttpClient(options: {proxy?: string | undefined} = {}): HttpClient {
  const settings = {
    connect: {timeout: CONNECT_TIMEOUT_MS},
    headersTimeout: STALL_TIMEOUT_MS,
    bodyTimeout: STALL_TIMEOUT_MS,
  };
  const agent =
    options.proxy === undefined
      ? new EnvHttpProxyAgent(settings)
      : new ProxyAgent({uri: options.proxy, ...settings});
  const dispatcher = agent.compose(interceptors.redirect({maxRedirections: MAX_REDIRECTIONS}));

  async function get(url: string, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(url, {dispatcher, signal: signal ?? null});
    } catch (error) {
      signal?.throwIfAborted();
      throw new HttpError('unreachable', `cannot reach ${url}: ${rootMessage(error)}`, {cause: error});
    }
    if (response.statusCode === 200) return response;
    await response.body.dump({limit: 1 << 16}).catch(() => undefined);
    throw new HttpError('bad-status', `${url} answered ${response.statusCode}`, {
      status: response.statusCode,
    });
  }

  async function getBytes(
    url: string,
    {maxBytes, signal}: {maxBytes: number; signal?: AbortSignal | undefined},
  ): Promise<Buffer> {
    const response = await get(url, signal);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) throw new HttpError('too-long', `${url} is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async function downloadOnce(
    url: string,
    path: string,
    expected: {bytes: number; sha256: string},
    signal: AbortSignal | undefined,
    onBytes: (count: number) => void,
  ): Promise<void> {
    const temporary = `${path}.part-${process.pid}`;
    const hash = createHash('sha256');
    let length = 0;
    try {
      const file = await open(temporary, 'w');
      try {
        const response = await get(url, signal);
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          length += chunk.length;
          if (length > expected.bytes)
            throw new HttpError('wrong-length', `${url} is longer than the ${expected.bytes} bytes expected`);
          hash.update(chunk);
          await file.write(chunk);
          onBytes(chunk.length);
        }
      } finally {
        await file.close();
      }
      if (length !== expected.bytes)
        throw new HttpError('wrong-length', `${url} ended after ${length} of ${expected.bytes} bytes`);
      const sha256 = hash.digest('hex');
      if (sha256 !== expected.sha256) {
        throw new HttpError('wrong-hash', `${url} has SHA-256 ${sha256}, expected ${expected.sha256}`);
      }
      await rename(temporary, path);
    } catch (error) {
      onBytes(-length);
      await rm(temporary, {force: true});
      throw error;
    }
  }

  return {
    getBytes: (url, getOptions) => withRetries(() => getBytes(url, getOptions), getOptions.signal),
    download: (url, path, expected, {signal, onBytes} = {}) =>
      withRetries(() => downloadOnce(url, path, expected, signal, onBytes ?? (() => undefined)), signal),
    close: () => agent.close(),
  };
}

async function withRetries<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const mayRetry =
        error instanceof HttpError
          ? error.retryable
          : !(error instanceof CodedError) && isNetworkError(error);
      if (!mayRetry || tries >= ATTEMPTS || signal?.aborted === true) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * tries));
    }
  }
}

function isNetworkError(error: unknown): boolean {
  const code = (error as {code?: unknown}).code;
  return (
    typeof code === 'string' && (code.startsWith('UND_ERR') || code.startsWith('ECONN') || code === 'EPIPE')
  );
}

function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  return current instanceof Error ? current.message || current.name : String(current);
}

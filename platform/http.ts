/**
 * The one door to HTTP: every request has a deadline and a largest length, and proxies come from the environment or
 * from the caller.
 */
import {createHash} from 'node:crypto';
import {open, rename, rm} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {rootCertificates} from 'node:tls';
import type {Dispatcher} from 'undici';
import {HttpError, MAX_REDIRECTIONS, endlessRedirection, explainHttpFailure} from './http-error.ts';
import {keepPace} from './http-pace.ts';

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
  /** Breaks off what is still under way. */
  close(): Promise<void>;
}

/** Requests one by one, for callers with a policy of their own. */
export interface HttpExchange {
  /**
   * One request as it is, answered by whatever status; nothing is tried again. The body keeps the pace of the client's
   * options or ends with HttpError 'too-slow'. Redirections are followed, but not those of a POST: what it says is for
   * one server. Who does not read the body to its end aborts the signal.
   */
  exchange(url: string, request: HttpRequest): Promise<HttpAnswer>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Ends with HttpError 'broken-off' when the connection does before it is whole. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpClientOptions {
  /** Overrides the proxy variables of the environment. */
  proxy?: string | undefined;
  /** Without a byte for this long a transfer counts as dead. */
  stallTimeoutMs?: number;
  /** A transfer that is slower than this on the whole counts as dead, too: a byte now and then is no progress. */
  minBytesPerSecond?: number;
  /** Whatever the environment says of proxies. */
  isDirect?: boolean;
  /** Certificates (PEM) that may vouch for a server besides the well-known ones. */
  ca?: string | undefined;
  /** Nothing but `ca` vouches for a server. */
  isCaAlone?: boolean;
  /** What this side shows to a server that asks who it is; PEM. */
  identity?: {readonly cert: string; readonly key: string} | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;
const STALL_TIMEOUT_MS = 60_000;
const MIN_BYTES_PER_SECOND = 4096;
/** Node's timers count in 31 bits. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const ATTEMPTS = 3;

export function createHttpClient(options: HttpClientOptions = {}): HttpClient & HttpExchange {
  const {stallTimeoutMs = STALL_TIMEOUT_MS, minBytesPerSecond = MIN_BYTES_PER_SECOND} = options;
  const wellKnown = options.isCaAlone === true ? [] : rootCertificates;
  const trust = {
    ...(options.ca === undefined ? {} : {ca: [...wellKnown, options.ca]}),
    ...options.identity,
  };
  const settings = {
    connect: {timeout: CONNECT_TIMEOUT_MS, ...trust},
    requestTls: {timeout: CONNECT_TIMEOUT_MS, ...trust},
    headersTimeout: stallTimeoutMs,
    bodyTimeout: stallTimeoutMs,
  };
  const closed = new AbortController();
  let opened: ReturnType<typeof connect> | null = null;

  /** The library comes with the first request: a program that only waits does without its megabytes. */
  async function connect() {
    const {Agent, EnvHttpProxyAgent, ProxyAgent, interceptors, request} = await import('undici');
    const {proxy, isDirect} = options;
    const agent =
      isDirect === true
        ? new Agent(settings)
        : proxy === undefined
          ? new EnvHttpProxyAgent(settings)
          : new ProxyAgent({uri: proxy, ...settings});
    const dispatcher = agent.compose(interceptors.redirect({maxRedirections: MAX_REDIRECTIONS}));
    return {agent, dispatcher, request};
  }

  function connections(): ReturnType<typeof connect> {
    return (opened ??= connect());
  }

  /** Hands over the body of a 200 answer, piece by piece; whatever breaks on the way is an HttpError. */
  async function receive(
    url: string,
    maxBytes: number,
    signal: AbortSignal | undefined,
    onChunk: (chunk: Buffer) => Promise<void> | void,
  ): Promise<void> {
    const deadline = AbortSignal.timeout(
      Math.min(MAX_TIMEOUT_MS, Math.ceil(stallTimeoutMs + (1000 * maxBytes) / minBytesPerSecond)),
    );
    const signals = [deadline, closed.signal, ...(signal === undefined ? [] : [signal])];
    let response: Dispatcher.ResponseData | undefined;
    let isOurs = false;
    const {request, dispatcher} = await connections();
    try {
      response = await request(url, {dispatcher, signal: AbortSignal.any(signals)});
      if (response.statusCode === 200)
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          isOurs = true;
          await onChunk(chunk);
          isOurs = false;
        }
    } catch (error) {
      signal?.throwIfAborted();
      // What the receiver throws (a full disk, too many bytes) is no fault of the network.
      throw isOurs ? error : explain(url, error, deadline.aborted);
    }
    if (response.statusCode === 200) return;
    await response.body.dump({limit: 1 << 16}).catch(() => undefined);
    // The last answer of a chain that was given up is what comes out here.
    if ([301, 302, 303, 307, 308].includes(response.statusCode)) throw endlessRedirection(url);
    throw new HttpError('bad-status', `${url} answered ${response.statusCode}`, {
      status: response.statusCode,
    });
  }

  async function exchange(url: string, {method, headers, body, signal}: HttpRequest): Promise<HttpAnswer> {
    const late = new AbortController();
    // Two timers of the library do not add up to one: a server may drip its headers, or redirect at leisure.
    const timer = setTimeout(() => late.abort(), CONNECT_TIMEOUT_MS + stallTimeoutMs);
    let response: Dispatcher.ResponseData;
    try {
      const {request, dispatcher, agent} = await connections();
      response = await request(url, {
        method,
        headers,
        body: body ?? null,
        dispatcher: method === 'GET' ? dispatcher : agent,
        signal: AbortSignal.any([signal, closed.signal, late.signal]),
      });
    } catch (error) {
      signal.throwIfAborted();
      throw explain(url, error, late.signal.aborted);
    } finally {
      clearTimeout(timer);
    }
    async function* chunks(): AsyncGenerator<Uint8Array> {
      try {
        yield* response.body as AsyncIterable<Buffer>;
      } catch (error) {
        signal.throwIfAborted();
        throw explainHttpFailure(url, error, 'broken-off');
      }
    }
    return {
      status: response.statusCode,
      headers: flatten(response.headers),
      body: keepPace(url, chunks(), {stallTimeoutMs, minBytesPerSecond, now: () => performance.now()}),
    };
  }

  async function getBytesOnce(
    url: string,
    maxBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    await receive(url, maxBytes, signal, (chunk) => {
      length += chunk.length;
      if (length > maxBytes) throw new HttpError('too-long', `${url} is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    });
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
        await receive(url, expected.bytes, signal, async (chunk) => {
          length += chunk.length;
          onBytes(chunk.length);
          if (length > expected.bytes)
            throw new HttpError('wrong-length', `${url} is longer than the ${expected.bytes} bytes expected`);
          hash.update(chunk);
          await file.write(chunk);
        });
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

  /** Tries again what may succeed later. */
  async function withRetries<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        const mayRetry = error instanceof HttpError && error.retryable && !closed.signal.aborted;
        if (!mayRetry || tries >= ATTEMPTS) throw error;
      }
      await sleep(500 * tries, undefined, {signal}).catch(() => signal?.throwIfAborted());
    }
  }

  return {
    getBytes: (url, {maxBytes, signal}) => withRetries(() => getBytesOnce(url, maxBytes, signal), signal),
    download: (url, path, expected, {signal, onBytes} = {}) =>
      withRetries(() => downloadOnce(url, path, expected, signal, onBytes ?? (() => undefined)), signal),
    exchange,
    async close() {
      closed.abort();
      await (await opened)?.agent.destroy();
    },
  };
}

function explain(url: string, error: unknown, isTooSlow: boolean): HttpError {
  if (!isTooSlow) return explainHttpFailure(url, error);
  return new HttpError('too-slow', `${url} comes too slowly to be worth the wait`, {cause: error});
}

/** Names in small letters; what comes several times is joined, as HTTP has it. */
function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): HttpAnswer['headers'] {
  const pairs = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    [value ?? []].flat().join(', '),
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

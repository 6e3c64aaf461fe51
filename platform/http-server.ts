/**
 * Listens for HTTP on the network. Everything a client may do has a bound: how long it takes to ask, how much it sends,
 * how long it may be silent, how many there are. Handlers get a request as a value and give an answer as one, so that
 * they can be tested without a socket.
 *
 * Rejected: a framework. There are a handful of routes, and what a framework would bring is what is bounded here.
 */
import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  createServer,
} from 'node:http';
import {createServer as createTlsServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {CodedError} from '../formats/errors.ts';
import {type ServerAnswer, sendAnswer} from './http-server-answer.ts';
import {boundedBody, discardRest, readBody} from './http-server-body.ts';

export class ListenError extends CodedError<'cannot-listen'> {}

export interface ServerRequest {
  readonly method: string;
  /** Of the URL as it was sent, not decoded, without the query. */
  readonly path: string;
  /** What follows `?` in the URL, as it was sent; empty without one. */
  readonly query: string;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Empty when it is a stream. */
  readonly body: Uint8Array;
  /** For requests that `streamLimit` names, whose body was not read yet; at most that long, or it ends with an error. */
  readonly stream: AsyncIterable<Uint8Array> | null;
  readonly remote: string;
  readonly isTls: boolean;
}

export interface AccessRecord {
  readonly remote: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** Of the body, as far as it was sent. */
  readonly bytes: number;
  readonly ms: number;
  /** Why the answer is not whole; null when it is. */
  readonly fault: string | null;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 lets the system pick. */
  readonly port: number;
  /** PEM. */
  readonly tls: {readonly cert: string; readonly key: string} | null;
  readonly maxBodyBytes: number;
  /** How long the body of such a request may be, which its handler reads itself; null for all others. */
  readonly streamLimit?: (method: string, path: string) => number | null;
  readonly handle: (request: ServerRequest) => Promise<ServerAnswer>;
  readonly onAccess: (record: AccessRecord) => void;
}

export interface HttpServer {
  /** `http://127.0.0.1:8000`, with the port that it is. */
  readonly url: string;
  /** Takes no more requests, lets those under way end for so long, then breaks them off. */
  close(graceMs: number): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Of a connection on which nothing moves, be it for a client that does not read. */
const SILENCE_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 5000;
const MAX_HEADER_BYTES = 16_384;
const MAX_CONNECTIONS = 1024;
const MAX_TARGET_CHARACTERS = 2048;
/** Throws ListenError. */
export async function listenHttp(options: HttpServerOptions): Promise<HttpServer> {
  const {host, port, tls} = options;
  const settings = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: HEADERS_TIMEOUT_MS,
  };
  const listener: RequestListener = (message, response) => void answer(message, response, options);
  const server = await listen(
    () =>
      tls === null ? createServer(settings, listener) : createTlsServer({...settings, ...tls}, listener),
    host,
    port,
  );
  const {address, port: actual, family} = server.address() as AddressInfo;
  const shown = family === 'IPv6' ? `[${address}]` : address;
  return {
    url: `${tls === null ? 'http' : 'https'}://${shown}:${actual}`,
    async close(graceMs) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function listen(create: () => Server, host: string, port: number): Promise<Server> {
  try {
    const server = create();
    server.timeout = SILENCE_TIMEOUT_MS;
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return server;
  } catch (error) {
    throw new ListenError('cannot-listen', `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
): Promise<void> {
  const startedAt = performance.now();
  const sent = await respond(message, response, options).then(
    (bytes) => ({bytes, fault: null}),
    (error: unknown) => ({bytes: 0, fault: error instanceof Error ? error.message : String(error)}),
  );
  if (sent.fault !== null) response.destroy();
  options.onAccess({
    remote: message.socket.remoteAddress ?? '',
    method: message.method ?? '',
    target: (message.url ?? '').slice(0, MAX_TARGET_CHARACTERS),
    status: response.statusCode,
    ...sent,
    ms: performance.now() - startedAt,
  });
}

/** Gives how many bytes of a body went out. */
async function respond(
  message: IncomingMessage,
  response: ServerResponse,
  {handle, maxBodyBytes, streamLimit}: HttpServerOptions,
): Promise<number> {
  const target = message.url ?? '/';
  const question = target.indexOf('?');
  const method = message.method ?? 'GET';
  const path = question < 0 ? target : target.slice(0, question);
  const streamBytes = streamLimit?.(method, path) ?? null;
  const limit = streamBytes ?? maxBodyBytes;
  const isTooLong = Number(message.headers['content-length'] ?? 0) > limit;
  const body = isTooLong || streamBytes !== null ? new Uint8Array() : await readBody(message, maxBodyBytes);
  if (isTooLong || body === null) {
    // Whatever else it sends is not read.
    response.setHeader('connection', 'close');
    return sendAnswer(message, response, refusal(413, `more than ${limit} bytes`));
  }
  const request = {
    method,
    path,
    query: question < 0 ? '' : target.slice(question + 1),
    headers: flatten(message.headers),
    body,
    stream: streamBytes === null ? null : boundedBody(message, streamBytes),
    remote: message.socket.remoteAddress ?? '',
    isTls: 'encrypted' in message.socket,
  };
  if (target.length > MAX_TARGET_CHARACTERS)
    return sendAnswer(message, response, refusal(414, 'the address is too long'));
  let result: ServerAnswer;
  try {
    result = await handle(request);
  } catch (error) {
    await sendAnswer(message, response, refusal(500, 'something is wrong with this server'));
    throw error;
  } finally {
    if (streamBytes !== null) discardRest(message, streamBytes);
  }
  return sendAnswer(message, response, result);
}

function refusal(status: number, text: string): ServerAnswer {
  return {status, headers: {'content-type': 'text/plain; charset=utf-8'}, body: Buffer.from(`${text}\n`)};
}

function flatten(headers: IncomingMessage['headers']): Record<string, string | undefined> {
  // Without a prototype: a client names them.
  const flat = Object.create(null) as Record<string, string | undefined>;
  for (const [name, value] of Object.entries(headers))
    flat[name] = Array.isArray(value) ? value.join(', ') : value;
  return flat;
}

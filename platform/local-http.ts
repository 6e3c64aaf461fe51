/**
 * HTTP between programs of one host, over Unix sockets: who may ask is the socket file's mode, and nothing listens on
 * the network. Both sides are bounded, because anyone on the host may speak to the side that answers.
 *
 * Rejected: D-Bus. Node has no client of it that is kept up, and an operator can ask here with `curl --unix-socket`.
 */
import {chmod, mkdir, rm} from 'node:fs/promises';
import {type IncomingMessage, type ServerResponse, createServer, request} from 'node:http';
import {dirname} from 'node:path';
import {CodedError} from '../formats/errors.ts';

export type LocalHttpErrorCode = 'not-running' | 'forbidden' | 'too-long' | 'timed-out' | 'broken-off';
export class LocalHttpError extends CodedError<LocalHttpErrorCode> {}

export interface LocalRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  body: Uint8Array;
  /** Aborted when the asker hung up or the server closes. */
  signal: AbortSignal;
}

export interface LocalAnswer {
  status: number;
  /** Media type. */
  type: string;
  body: string;
}

export interface LocalServerOptions {
  path: string;
  /** Of the socket file; connecting needs the right to write. */
  mode: number;
  maxBodyBytes: number;
  maxConnections: number;
}

export interface LocalServer {
  /** Ends what is under way and removes the socket. */
  close(): Promise<void>;
}

const MAX_HEADER_BYTES = 8192;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_REQUESTS_PER_SOCKET = 1000;

/** Serves on a socket of its own; a socket file left behind by a program that was killed is replaced. */
export async function listenLocal(
  options: LocalServerOptions,
  handle: (request: LocalRequest) => Promise<LocalAnswer>,
): Promise<LocalServer> {
  const closing = new AbortController();
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
    },
    (message, response) => void answer(message, response),
  );
  server.maxConnections = options.maxConnections;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const body = await readBody(message, options.maxBodyBytes);
      const url = new URL(message.url ?? '/', 'http://local');
      const result = await handle({
        method: message.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        body,
        signal: AbortSignal.any([gone.signal, closing.signal]),
      });
      respond(response, result);
    } catch (error) {
      const isTooLong = error instanceof LocalHttpError && error.code === 'too-long';
      const text = error instanceof Error ? error.message : String(error);
      respond(response, {status: isTooLong ? 413 : 500, type: 'text/plain', body: `${text}\n`});
      message.destroy();
    }
  }

  await mkdir(dirname(options.path), {recursive: true, mode: 0o755});
  await rm(options.path, {force: true});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.path, resolve);
  });
  // Under the usual umask only the owner may connect before this.
  await chmod(options.path, options.mode);
  server.on('error', () => undefined);
  return {
    async close() {
      closing.abort();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // Whoever is being answered has a moment to read it.
        setTimeout(() => server.closeAllConnections(), 500).unref();
      });
      await rm(options.path, {force: true});
    },
  };
}

export interface AskOptions {
  method?: 'GET' | 'POST';
  /** Path and query. */
  target: string;
  body?: string;
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal | undefined;
}

/** One question to a local server. Throws LocalHttpError. */
export async function askLocal(socketPath: string, options: AskOptions): Promise<LocalAnswer> {
  const signals = [AbortSignal.timeout(options.timeoutMs), ...(options.signal ? [options.signal] : [])];
  try {
    return await new Promise<LocalAnswer>((resolve, reject) => {
      const question = request({
        socketPath,
        path: options.target,
        method: options.method ?? 'GET',
        headers: options.body === undefined ? {} : {'content-type': 'application/json'},
        signal: AbortSignal.any(signals),
        agent: false,
      });
      question.on('error', reject).on('response', (message) => {
        readBody(message, options.maxBytes).then(
          (body) =>
            resolve({
              status: message.statusCode ?? 0,
              type: message.headers['content-type'] ?? '',
              body: Buffer.from(body).toString('utf8'),
            }),
          reject,
        );
      });
      question.end(options.body);
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw explain(socketPath, error, signals[0]?.aborted === true);
  }
}

async function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new LocalHttpError('too-long', `more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function respond(response: ServerResponse, {status, type, body}: LocalAnswer): void {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(body, 'utf8');
  response.writeHead(status, {'content-type': type, 'content-length': bytes.length});
  response.end(bytes);
}

function explain(path: string, error: unknown, isTooSlow: boolean): unknown {
  if (error instanceof LocalHttpError) return error;
  if (isTooSlow) return new LocalHttpError('timed-out', `no answer from ${path} in time`, {cause: error});
  const code = (error as {code?: unknown}).code;
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new LocalHttpError('not-running', `nothing answers at ${path}`, {cause: error});
  if (code === 'EACCES' || code === 'EPERM')
    return new LocalHttpError('forbidden', `${path} is not for this user`, {cause: error});
  const message = error instanceof Error ? error.message : String(error);
  return new LocalHttpError('broken-off', `no answer from ${path}: ${message}`, {cause: error});
}

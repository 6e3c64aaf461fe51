/**
 * Files of this host under `file:` addresses, answered as a web server would: a stick that is mounted is then followed by
 * the same code as a server, with the same checks.
 */
import {open, stat} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {HttpError} from './http-error.ts';
import type {HttpAnswer, HttpExchange, HttpRequest} from './http.ts';

const CHUNK_BYTES = 256 * 1024;

/** Everything that is no file goes to `http`. */
export function withFiles(http: HttpExchange): HttpExchange {
  return {
    exchange: (url, request) =>
      /^file:/i.test(url) ? answerFile(url, request) : http.exchange(url, request),
  };
}

async function answerFile(url: string, {headers, signal}: HttpRequest): Promise<HttpAnswer> {
  const path = fileURLToPath(url);
  const info = await stat(path, {bigint: true}).catch((error: unknown) => {
    const {code} = error as {code?: unknown};
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new HttpError('unreachable', `cannot read ${path}: ${(error as Error).message}`, {cause: error});
  });
  // A pipe or a device would be read for ever.
  if (info === null || !info.isFile()) return {status: 404, headers: {}, body: read(path, 0, 0, signal)};
  const bytes = Number(info.size);
  const etag = `"${info.ino}-${info.size}-${info.mtimeNs}"`;
  const first = Number(/^bytes=(\d{1,15})-$/.exec(headers['range'] ?? '')?.[1] ?? 0);
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
  if (first === 0 || first >= bytes || !isSame)
    return {
      status: 200,
      headers: {etag, 'content-length': String(bytes)},
      body: read(path, 0, bytes, signal),
    };
  return {
    status: 206,
    headers: {
      etag,
      'content-length': String(bytes - first),
      'content-range': `bytes ${first}-${bytes - 1}/${bytes}`,
    },
    body: read(path, first, bytes, signal),
  };
}

async function* read(
  path: string,
  first: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (first >= end) return;
  try {
    const file = await open(path, 'r');
    try {
      const range = {start: first, end: end - 1, autoClose: false, highWaterMark: CHUNK_BYTES};
      for await (const chunk of file.createReadStream(range)) {
        signal.throwIfAborted();
        yield chunk as Buffer;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    // A stick that was pulled out.
    throw new HttpError('broken-off', `${path} cannot be read to its end: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Answers as values, and how they go out: in one piece, as a stream of known length, or for as long as somebody listens. */
import {once} from 'node:events';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {pipeline} from 'node:stream/promises';

export interface ServerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * A stream comes with its length, and is not opened for HEAD. One without end (`follow`) goes on until it returns or the
   * client is gone, which aborts its signal; it is asked for more when the client has taken what there was.
   */
  readonly body:
    | Uint8Array
    | {readonly bytes: number; readonly open: () => AsyncIterable<Uint8Array>}
    | {readonly follow: (signal: AbortSignal) => AsyncIterable<Uint8Array>};
}

const ONE_PIECE_BYTES = 16_384;

/** Gives how many bytes of a body went out. */
export async function sendAnswer(
  message: IncomingMessage,
  response: ServerResponse,
  {status, headers, body}: ServerAnswer,
): Promise<number> {
  if ('follow' in body) return follow(response, status, headers, body.follow);
  const bytes = 'open' in body ? body.bytes : body.length;
  const isBodiless = status === 304 || status === 204;
  response.writeHead(status, {...headers, ...(isBodiless ? {} : {'content-length': bytes})});
  if (message.method === 'HEAD' || isBodiless) {
    response.end();
    return 0;
  }
  if (!('open' in body)) {
    // As text, byte for byte, it goes out in one piece with the head; as bytes it is a write of its own.
    if (bytes <= ONE_PIECE_BYTES)
      response.end(Buffer.from(body.buffer, body.byteOffset, bytes).toString('latin1'), 'latin1');
    else response.end(body);
    return bytes;
  }
  await pipeline(body.open(), response);
  return bytes;
}

async function follow(
  response: ServerResponse,
  status: number,
  headers: ServerAnswer['headers'],
  open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
): Promise<number> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(status, headers);
  response.flushHeaders();
  let bytes = 0;
  for await (const chunk of open(gone.signal)) {
    if (gone.signal.aborted) break;
    bytes += chunk.length;
    if (!response.write(chunk)) await once(response, 'drain', {signal: gone.signal}).catch(() => undefined);
  }
  response.end();
  return bytes;
}

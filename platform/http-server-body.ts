/** What clients send to a server of ours, each byte of it counted. */
import type {IncomingMessage} from 'node:http';

/** Whoever stops reading wants to answer: that ends the stream, and not the connection. */
export async function* boundedBody(message: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  const chunks = message.iterator({destroyOnReturn: false}) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`a body of more than ${maxBytes} bytes`);
    yield chunk;
  }
}

/** An answer that comes before the whole question has to reach a client that is still sending. */
export function discardRest(message: IncomingMessage, maxBytes: number): void {
  if (message.readableEnded) return;
  let bytes = 0;
  message.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) message.destroy();
  });
}

/**
 * Null when it is longer than allowed; the rest is left where it is, so that the refusal still reaches the client. By
 * events: an iterator costs a small request as much as all that is done with it.
 */
export function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      message.pause();
      resolve(null);
    });
    message.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    message.once('error', reject);
    message.once('close', () => {
      if (!message.readableEnded) reject(new Error('the client went away before it had asked'));
    });
  });
}

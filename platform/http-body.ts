/** The body of an answer as a whole, when it is to be small. */
import {HttpError} from './http-error.ts';

/** Throws HttpError 'too-long' beyond `maxBytes`, and what the body throws. */
export async function collectBody(
  url: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes)
      throw new HttpError('too-long', `${url} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

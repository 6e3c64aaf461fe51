/** A small document sent, a small one received: the shape of every question to an update server. */
import {collectBody} from './http-body.ts';
import {HttpError} from './http-error.ts';
import type {HttpExchange} from './http.ts';

/** The body of a 2xx answer, at most `maxBytes` long. Nothing is tried again; throws HttpError. */
export async function postBytes(
  client: HttpExchange,
  url: string,
  body: Uint8Array,
  {contentType, maxBytes, signal}: {contentType: string; maxBytes: number; signal: AbortSignal},
): Promise<Uint8Array> {
  const stopped = new AbortController();
  try {
    const answer = await client.exchange(url, {
      method: 'POST',
      headers: {'content-type': contentType, 'accept-encoding': 'identity'},
      body,
      signal: AbortSignal.any([signal, stopped.signal]),
    });
    if (answer.status < 200 || answer.status > 299) {
      const target = answer.headers['location'];
      const where = target === undefined ? '' : `, and pointed to ${JSON.stringify(target.slice(0, 200))}`;
      throw new HttpError('bad-status', `${url} answered ${answer.status}${where}`, {status: answer.status});
    }
    return await collectBody(url, answer.body, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    stopped.abort();
  }
}

/** A small document from a web server, tried once: when to try again is the caller's policy. */
import {collectBody} from './http-body.ts';
import {HttpError, endlessRedirection} from './http-error.ts';
import type {HttpExchange} from './http.ts';

/** The body of a 200 answer, at most `maxBytes` long. Throws HttpError, and the signal's reason. */
export async function getDocument(
  client: HttpExchange,
  url: string,
  {maxBytes, signal}: {maxBytes: number; signal: AbortSignal},
): Promise<Buffer> {
  const stopped = new AbortController();
  try {
    const answer = await client.exchange(url, {
      method: 'GET',
      headers: {'accept-encoding': 'identity'},
      signal: AbortSignal.any([signal, stopped.signal]),
    });
    const {status, headers, body} = answer;
    if ([301, 302, 303, 307, 308].includes(status)) throw endlessRedirection(url);
    if (status !== 200) throw new HttpError('bad-status', `${url} answered ${status}`, {status});
    if ((headers['content-encoding'] ?? 'identity') !== 'identity')
      throw new HttpError('bad-answer', `${url} came packed, unasked`);
    return await collectBody(url, body, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    stopped.abort();
  }
}

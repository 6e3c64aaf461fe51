/** Fetches with the patience of a boot: the network, a name server or the server itself may come up after this host. */
import {isCodedError} from '../../formats/errors.ts';
import type {CloudHost} from './host.ts';

/** Between tries, each of which is three of the client's own. */
const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];
/** After this long no new try is begun: a try at an address that swallows everything takes a minute and a half. */
const PATIENCE_MS = 90_000;

/** Throws what the last try gave. What will not get better (404, a circle of redirections) is not tried again. */
export async function fetchPatiently(
  host: Pick<CloudHost, 'getBytes' | 'sleep' | 'note' | 'now'>,
  url: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const begun = host.now();
  for (const pause of PAUSES_MS) {
    try {
      return await host.getBytes(url, {maxBytes});
    } catch (error) {
      const isOver = host.now() - begun > PATIENCE_MS;
      if (!isCodedError(error) || !error.retryable || isOver) throw error;
      host.note(`${error.message}; trying again in ${pause / 1000} s`);
    }
    await host.sleep(pause);
  }
  return host.getBytes(url, {maxBytes});
}

/**
 * The bytes of an offered payload from any place on, from whichever of its addresses gives them: a broken transfer goes
 * on where it stopped, a bad address gives way to the next. Hashes are the reader's business; when they do not match,
 * it says so (`refuse`), and the next call begins with another address.
 */
import type {Offer} from '../../formats/omaha/offer.ts';
import {type Validators, differenceOf} from '../../formats/http-ranges.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {HttpError} from '../../platform/http-error.ts';
import {openHttpRange} from '../../platform/http-range.ts';
import type {HttpExchange} from '../../platform/http.ts';
import type {RateLimit} from '../../platform/rate-limit.ts';
import {type FailureKind, failureKindOf} from './error-codes.ts';
import {
  FORGIVING_BYTES,
  type PayloadState,
  afterDownload,
  afterFailure,
  afterProgress,
  currentUrl,
  retryDelayMs,
} from './payload-policy.ts';

export interface PayloadSourceOptions {
  readonly http: HttpExchange;
  readonly offer: Offer;
  /** Sent to HTTPS addresses only. */
  readonly credentials: {readonly user: string; readonly password: string} | null;
  /** Null for none. */
  readonly limit: RateLimit | null;
  /** What was known of this payload and its addresses before. */
  readonly state: PayloadState;
  /** What the addresses gave before, in another run of this program. */
  readonly before?: ReadonlyMap<string, Validators>;
  /** Hears what an address gives now. */
  readonly onSeen?: (url: string, validators: Validators) => void;
  /** Another file lies there than the one that was begun: what was taken from it is not to be continued. */
  readonly onChanged?: (text: string) => void;
  /** One sentence for each failure that is not the end. */
  readonly onRetry: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface PayloadSource {
  /**
   * The payload from byte `offset` to its end. Throws the HttpError of the last try once every address had its turn, and
   * the signal's reason.
   */
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** What was read is not the payload. Gives the address that is next, or null when every one had its turn. */
  refuse(): string | null;
  /** It came whole. */
  accept(): void;
  /** What is known of it by now; whoever wants that to survive writes it down. */
  known(): PayloadState;
}

/**
 * Calls `use`, and again for each further address when what it read is not the payload: one bad mirror is no failure.
 * Throws what `use` threw last.
 */
export async function tryEachAddress<T>(
  {refuse}: Pick<PayloadSource, 'refuse'>,
  onRetry: (text: string) => void,
  use: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await use();
    } catch (error) {
      const next = error instanceof PayloadError ? refuse() : null;
      if (next === null) throw error;
      onRetry(`${(error as PayloadError).message}; again, from ${next}`);
    }
  }
}

export function openPayload(options: PayloadSourceOptions): PayloadSource {
  const {http, offer, credentials, limit, onRetry, now, random, sleep} = options;
  /** Of what each address gave: a part of one file is never followed by a part of another. */
  const seen = new Map<string, Validators>(options.before);
  let state = options.state;

  /** The address to go on with; null when every one had its turn. */
  function fail(kind: FailureKind): string | null {
    const {attempts} = state;
    state = afterFailure(state, offer, kind, now(), random());
    return state.attempts > attempts ? null : currentUrl(state, offer);
  }

  async function* receive(url: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const answer = await openHttpRange(http, {
      url,
      offset,
      bytes: offer.bytes,
      validators: seen.get(url) ?? null,
      headers: authorization(url, credentials),
      signal,
    });
    const previous = seen.get(url);
    // From the first byte on, another file is as good as the one before; only what lies in the slot is not of it.
    const difference = previous === undefined ? null : differenceOf(previous, answer.validators);
    if (difference !== null) options.onChanged?.(`${url} is another file than before: ${difference}`);
    seen.set(url, answer.validators);
    options.onSeen?.(url, answer.validators);
    let received = 0;
    for await (const chunk of answer.body) {
      await limit?.take(chunk.length, signal);
      received += chunk.length;
      if (received >= FORGIVING_BYTES) state = afterProgress(state);
      yield chunk;
    }
  }

  async function* open(offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = offset;
    while (at < offer.bytes) {
      const url = currentUrl(state, offer);
      try {
        for await (const chunk of receive(url, at, signal)) {
          at += chunk.length;
          yield chunk;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HttpError)) throw error;
        // What was begun is gone; with the same bytes under a new tag the hashes will tell.
        if (error.code === 'changed') {
          seen.delete(url);
          options.onChanged?.(error.message);
        }
        const next = fail(failureKindOf(error));
        if (next === null) throw error;
        const delayMs = retryDelayMs(state, random());
        onRetry(`${error.message}; again in ${(delayMs / 1000).toFixed(1)} s, from ${next}`);
        await sleep(delayMs, signal);
      }
    }
  }

  return {
    open,
    refuse: () => fail('content'),
    accept: () => (state = afterDownload(state, now(), random())),
    known: () => state,
  };
}

function authorization(
  url: string,
  credentials: PayloadSourceOptions['credentials'],
): Record<string, string> {
  if (credentials === null || new URL(url).protocol !== 'https:') return {};
  const text = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  return {authorization: `Basic ${text}`};
}

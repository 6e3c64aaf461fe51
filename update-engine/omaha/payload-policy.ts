/**
 * Which address of an offered payload to try, how often, and how long to leave a payload alone that does not work out;
 * the rules of the lineage (payload_state.cc) as a pure function over a value that survives restarts.
 *
 * Two deviations. There, any byte received forgives an address its failures; a server that always breaks off after one
 * byte would be tried for ever, so it takes a little more here. And a time to wait for that lies further ahead than any
 * that is ever set means that the clock was wrong; it is passed over.
 */
import type {Offer} from '../../formats/omaha/offer.ts';
import {z} from '../../formats/schema.ts';
import type {FailureKind} from './error-codes.ts';

const count = z.int().nonnegative();

export const payloadStateSchema = z.object({
  /** Of the offer that this is about. */
  signature: z.string().max(100_000),
  /** Complete downloads, and rounds through all addresses. */
  attempts: count,
  urlIndex: count,
  /** Of that address, since it last made progress. */
  urlFailures: count,
  /** Milliseconds since 1970; null when nothing has to be waited for. */
  notBefore: count.nullable(),
});

export type PayloadState = Readonly<z.infer<typeof payloadStateSchema>>;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_BACK_OFF_DAYS = 16;
const BACK_OFF_FUZZ_MS = 12 * HOUR_MS;
/** So much progress forgives an address its failures. */
export const FORGIVING_BYTES = 1 << 20;
/** Between two tries of one download: from one second, doubling, to a minute. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

/** What is known of an offer: what was known, if it is the same one, else nothing. */
export function payloadStateFor(offer: Offer, previous: PayloadState | null): PayloadState {
  const signature = signatureOf(offer);
  return previous?.signature === signature
    ? previous
    : {signature, attempts: 0, urlIndex: 0, urlFailures: 0, notBefore: null};
}

function signatureOf({urls, bytes, sha256, isDelta, disableBackoff, maxFailuresPerUrl}: Offer): string {
  return JSON.stringify([urls, bytes, sha256, isDelta, disableBackoff, maxFailuresPerUrl]);
}

/** The address to use now. */
export function currentUrl(state: PayloadState, {urls}: Offer): string {
  const url = urls[state.urlIndex % urls.length];
  if (url === undefined) throw new RangeError('an offer has at least one address');
  return url;
}

/** Until when the payload is left alone, in milliseconds since 1970; null when it may be tried now. */
export function waitsUntil(
  {notBefore}: PayloadState,
  {disableBackoff, isDelta}: Offer,
  now: number,
): number | null {
  const isPossible = notBefore !== null && notBefore <= now + MAX_BACK_OFF_DAYS * DAY_MS + BACK_OFF_FUZZ_MS;
  return !disableBackoff && !isDelta && isPossible && notBefore > now ? notBefore : null;
}

export function afterProgress(state: PayloadState): PayloadState {
  return state.urlFailures === 0 ? state : {...state, urlFailures: 0};
}

/** `random` is from 0 to 1. The attempt is over when `attempts` has grown: every address had its turn. */
export function afterFailure(
  state: PayloadState,
  offer: Offer,
  kind: FailureKind,
  now: number,
  random: number,
): PayloadState {
  if (kind === 'other') return state;
  const urlFailures = state.urlFailures + 1;
  if (kind === 'transfer' && urlFailures < offer.maxFailuresPerUrl) return {...state, urlFailures};
  const urlIndex = (state.urlIndex + 1) % offer.urls.length;
  const next = {...state, urlIndex, urlFailures: 0};
  return urlIndex === 0 ? withAttempt(next, now, random) : next;
}

/** The payload came whole, whatever it turns out to be worth. */
export function afterDownload(state: PayloadState, now: number, random: number): PayloadState {
  return withAttempt({...state, urlFailures: 0}, now, random);
}

function withAttempt(state: PayloadState, now: number, random: number): PayloadState {
  const attempts = state.attempts + 1;
  const days = Math.min(MAX_BACK_OFF_DAYS, 2 ** (attempts - 1));
  const notBefore = Math.round(now + days * DAY_MS + BACK_OFF_FUZZ_MS * (random - 0.5));
  return {...state, attempts, notBefore};
}

/** How long to wait before a download goes on; blurred, so that hosts do not come back to a server as one. */
export function retryDelayMs({urlFailures}: PayloadState, random: number): number {
  const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(20, Math.max(0, urlFailures - 1)));
  return Math.round(base * (0.5 + random));
}

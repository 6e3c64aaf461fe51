/** Asks the update server, and tells it what happened. Nothing is tried again here: when is for the schedule to say. */
import {CodedError} from '../../formats/errors.ts';
import {type Offer, readOutcome} from '../../formats/omaha/offer.ts';
import {
  CAISSON_APP_ID,
  OMAHA_CONTENT_TYPE,
  type OmahaEvent,
  type OmahaRequest,
  encodeRequest,
} from '../../formats/omaha/request.ts';
import {type OmahaResponse, type UpdateHold, decodeResponse} from '../../formats/omaha/response.ts';
import {MAX_XML_BYTES} from '../../formats/omaha/xml.ts';
import {HttpError} from '../../platform/http-error.ts';
import {postBytes} from '../../platform/http-post.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {checkErrorCode} from './error-codes.ts';
import {type OmahaHost, requestOf} from './request-of.ts';

export interface OmahaServer {
  readonly http: HttpExchange;
  readonly url: string;
}

export type CheckResult =
  | {readonly kind: 'nothing'; readonly hold: UpdateHold | null; readonly pollSeconds: number | null}
  | {readonly kind: 'offered'; readonly offer: Offer; readonly pollSeconds: number | null}
  | {
      readonly kind: 'failed';
      /** Of the lineage: what an event would carry. */
      readonly code: number;
      /** HTTP status, for the schedule; null when it was not that. */
      readonly status: number | null;
      readonly error: CodedError<string>;
    };

export interface CheckOptions {
  readonly by: 'timer' | 'operator';
  /** Empty for any version. */
  readonly targetVersionPrefix: string;
  readonly events: readonly OmahaEvent[];
  readonly signal: AbortSignal;
}

/** Throws the signal's reason and faults of our own; whatever the server or the network does is a result. */
export async function checkForUpdate(
  server: OmahaServer,
  host: OmahaHost,
  {by, targetVersionPrefix, events, signal}: CheckOptions,
): Promise<CheckResult> {
  const request = requestOf(host, {by, ping: true, updateCheck: {targetVersionPrefix}, events});
  try {
    const {offer, hold, pollSeconds} = readOutcome(await ask(server, request, signal), CAISSON_APP_ID);
    return offer === null ? {kind: 'nothing', hold, pollSeconds} : {kind: 'offered', offer, pollSeconds};
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CodedError)) throw error;
    const status = error instanceof HttpError ? (error.status ?? null) : null;
    return {
      kind: 'failed',
      code: checkErrorCode(error as CodedError<string>),
      status,
      error: error as CodedError<string>,
    };
  }
}

/** Throws HttpError or OmahaError when the server did not take it, and the signal's reason. */
export async function reportEvent(
  server: OmahaServer,
  host: OmahaHost,
  event: OmahaEvent,
  signal: AbortSignal,
): Promise<void> {
  await ask(server, requestOf(host, {by: 'timer', ping: false, updateCheck: null, events: [event]}), signal);
}

async function ask(
  {http, url}: OmahaServer,
  request: OmahaRequest,
  signal: AbortSignal,
): Promise<OmahaResponse> {
  const bytes = await postBytes(http, url, encodeRequest(request), {
    contentType: OMAHA_CONTENT_TYPE,
    maxBytes: MAX_XML_BYTES,
    signal,
  });
  return decodeResponse(bytes);
}

/** Fetches the signed file of a channel, and believes nothing in it before a trusted key was found to have signed it. */
import type {KeyObject} from 'node:crypto';
import {openChannel} from '../../formats/channel-metadata/channel-file.ts';
import {MAX_ENVELOPE_BYTES} from '../../formats/channel-metadata/envelope.ts';
import {ChannelMetadataError} from '../../formats/channel-metadata/errors.ts';
import {CodedError} from '../../formats/errors.ts';
import {getDocument} from '../../platform/http-get.ts';
import {HttpError} from '../../platform/http-error.ts';
import type {HttpExchange} from '../../platform/http.ts';
import type {Fetched} from './judge.ts';

/** A mirror that says nothing must not hold up a check for longer. */
const PATIENCE_MS = 30_000;

/** Throws the signal's reason and faults of our own; whatever the server or the network does is a result. */
export async function fetchChannel(
  http: HttpExchange,
  url: string,
  {keys, follower, signal}: {keys: readonly KeyObject[]; follower: string; signal: AbortSignal},
): Promise<Fetched> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const limits = {maxBytes: MAX_ENVELOPE_BYTES, signal: AbortSignal.any([signal, patience])};
    const bytes = await getDocument(http, url, limits);
    const {document, text, digest} = openChannel(bytes, keys, follower);
    return {kind: 'document', document, text, digest};
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ChannelMetadataError) {
      const {code, message} = error;
      return {kind: 'untrusted', error: new ChannelMetadataError(code, `${url}: ${message}`, {cause: error})};
    }
    if (patience.aborted)
      return {kind: 'missing', error: new HttpError('too-slow', `${url} does not answer`, {cause: error})};
    if (!(error instanceof CodedError)) throw error;
    return {kind: 'missing', error: error as CodedError<string>};
  }
}

/** What can be wrong with signed channel metadata. */
import {CodedError} from '../errors.ts';

export type ChannelMetadataErrorCode =
  /** No envelope, one that is too large, or one that is spelled in a way that no signer spells it. */
  | 'bad-envelope'
  /** No signature by a key that is trusted. */
  | 'untrusted'
  /** Signed, and it says what it must not. */
  | 'bad-document'
  /** Of another application, or of a channel that this host does not follow. */
  | 'other-channel';

export class ChannelMetadataError extends CodedError<ChannelMetadataErrorCode> {}

/** What can be wrong with the folder that a release server serves. */
import {CodedError} from '../formats/errors.ts';

export type ServerErrorCode =
  /** channels.json cannot be read, or says something that it must not. */
  | 'bad-channels'
  | 'no-channel'
  | 'no-group'
  /** A name that is taken. */
  | 'exists'
  /** A version that was published with other bytes. */
  | 'other-bytes'
  /** No such release, or one that hosts could not install. */
  | 'no-release'
  /** Hosts would not take its payload: by its signatures, or because it is damaged. */
  | 'untrusted'
  /** Another one is changing the channels. */
  | 'locked'
  /** The channel would go backwards. */
  | 'older'
  /** A document of a rollout policy says something that it must not. */
  | 'bad-policy';

export class ServerError extends CodedError<ServerErrorCode> {}

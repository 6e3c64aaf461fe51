/** What can be wrong with the folder that a release server serves. */
import {CodedError} from '../formats/errors.ts';

export type ServerErrorCode =
  /** channels.json cannot be read, or says something that it must not. */
  | 'bad-channels'
  | 'no-channel'
  | 'no-group'
  | 'no-machine'
  | 'no-token'
  /** Something points to it. */
  | 'in-use'
  /** An upload goes on at another place. */
  | 'other-offset'
  /** Another request does the same at the moment. */
  | 'busy'
  | 'too-large'
  /** The disk is too full. */
  | 'no-room'
  /** Bytes of an upload are missing. */
  | 'incomplete'
  /** What was uploaded is not what was announced. */
  | 'damaged'
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

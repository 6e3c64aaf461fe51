/** What goes wrong while a payload is made; a payload that is wrong itself is a PayloadError of formats/payload. */
import {CodedError} from '../formats/errors.ts';

export type MakePayloadErrorCode =
  /** The release's files are not what its release.json or its verity tree says. */
  | 'bad-release'
  | 'no-key'
  | 'bad-key'
  /** A key file is there already. */
  | 'exists'
  /** Signatures that came from elsewhere are not by the keys that they should be by. */
  | 'bad-signature';

export class MakePayloadError extends CodedError<MakePayloadErrorCode> {}

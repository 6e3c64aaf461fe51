/** What can be wrong with an Omaha document, on either side of the wire. */
import {CodedError} from '../errors.ts';

export type OmahaErrorCode =
  /** Larger than any honest document. */
  | 'too-large'
  /** Not well-formed, or XML with means that this protocol has no use for (DOCTYPE, entities of one's own). */
  | 'bad-xml'
  /** Well-formed, but not what the protocol says. */
  | 'bad-document'
  /** The protocol's way to refuse: the status of an app or of an update check is an error. */
  | 'refused'
  /** A value that no XML document can carry. */
  | 'bad-value';

export class OmahaError extends CodedError<OmahaErrorCode> {}

/** What can be wrong with a window once it is parsed. */
import {CodedError} from '../errors.ts';

export class RebootWindowError extends CodedError<'unknown-zone'> {}

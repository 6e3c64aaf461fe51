/** What can be wrong with a config for Ignition before Ignition itself has seen it. */
import {CodedError} from '../errors.ts';

export type IgnitionErrorCode = 'too-large' | 'not-text' | 'not-json' | 'bad-version' | 'bad-config';

export class IgnitionError extends CodedError<IgnitionErrorCode> {}

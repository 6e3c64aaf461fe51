/** What can go wrong with an installation. `refused`: nothing was written, and a person has to decide. */
import {CodedError} from '../../formats/errors.ts';

export type InstallerErrorCode =
  | 'usage'
  /** The disk is in use, too small, read-only, or none. */
  | 'refused'
  /** The config, or what is to go to OEM, is not good. */
  | 'bad-config'
  /** There is no release to install where one was asked for. */
  | 'no-release'
  /** What was read back is not what was written. */
  | 'wrong-content'
  | 'interrupted';

export class InstallerError extends CodedError<InstallerErrorCode> {}

/** The one error class of running machines. */
import {CodedError} from '../formats/errors.ts';

export type QemuErrorCode =
  | 'bad-spec'
  | 'no-emulator'
  | 'no-firmware'
  | 'bad-qmp'
  | 'qmp-refused'
  | 'exited'
  | 'console-timeout'
  | 'timed-out'
  | 'unreachable'
  | 'remote-failed'
  | 'bad-snapshot'
  | 'bad-frame';

/** What can go wrong between us and a virtual machine. */
export class QemuError extends CodedError<QemuErrorCode> {}

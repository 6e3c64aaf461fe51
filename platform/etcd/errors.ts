/** What can go wrong between us and etcd, whichever member was asked. */
import {CodedError} from '../../formats/errors.ts';

export type EtcdErrorCode =
  | 'unreachable'
  | 'timed-out'
  /** The member knows of no leader, and so can neither read nor write. */
  | 'no-quorum'
  /** It reads but does not write: an alarm, or a member that does not take part yet. */
  | 'read-only'
  | 'credentials'
  | 'certificate'
  /** It says no, for a reason of its own. */
  | 'refused'
  /** Whoever answers there does not speak etcd's v3 API over HTTP. */
  | 'not-etcd';

export class EtcdError extends CodedError<EtcdErrorCode> {
  /** Whether what was asked for may have been done all the same, now or a little later. */
  readonly mayBeDone: boolean;
  /** What etcd said, word for word; null when it did not come to that. */
  readonly saying: string | null;

  constructor(
    code: EtcdErrorCode,
    message: string,
    options: {cause?: unknown; hint?: string | undefined; mayBeDone?: boolean; saying?: string} = {},
  ) {
    const {cause, hint, mayBeDone = false, saying = null} = options;
    const isPassing = ['unreachable', 'timed-out', 'no-quorum'].includes(code);
    super(code, message, {cause, retryable: isPassing, ...(hint === undefined ? {} : {hint})});
    this.mayBeDone = mayBeDone;
    this.saying = saying;
  }
}

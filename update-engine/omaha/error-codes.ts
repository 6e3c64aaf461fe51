/** The lineage's number for an error of ours, and what such an error says about the address it came from. */
import type {CodedError} from '../../formats/errors.ts';
import {
  ERROR_CODES,
  HTTP_STATUS_BASE,
  OMAHA_OMAHA_CODES,
  PAYLOAD_OMAHA_CODES,
} from '../../formats/omaha/codes.ts';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {HttpError, type HttpErrorCode} from '../../platform/http-error.ts';

/** `content`: the bytes are wrong and will stay so. `transfer`: they did not come. `other`: not the server's doing. */
export type FailureKind = 'content' | 'transfer' | 'other';

const DOWNLOAD_CODES = {
  unreachable: ERROR_CODES.DOWNLOAD_TRANSFER,
  untrusted: ERROR_CODES.DOWNLOAD_TRANSFER,
  'bad-status': ERROR_CODES.DOWNLOAD_TRANSFER,
  'too-many-redirections': ERROR_CODES.DOWNLOAD_TRANSFER,
  'too-slow': ERROR_CODES.DOWNLOAD_TRANSFER,
  'too-long': ERROR_CODES.PAYLOAD_SIZE_MISMATCH,
  'wrong-hash': ERROR_CODES.PAYLOAD_HASH_MISMATCH,
  'wrong-length': ERROR_CODES.PAYLOAD_SIZE_MISMATCH,
  'bad-answer': ERROR_CODES.DOWNLOAD_TRANSFER,
  'broken-off': ERROR_CODES.DOWNLOAD_TRANSFER,
  changed: ERROR_CODES.PAYLOAD_SIZE_MISMATCH,
} as const satisfies Record<HttpErrorCode, number>;

/** For an error of the update check. */
export function checkErrorCode(error: CodedError<string>): number {
  if (error instanceof OmahaError) return OMAHA_OMAHA_CODES[error.code];
  // Without an answer there is no status to add.
  if (error instanceof HttpError) return HTTP_STATUS_BASE + (error.status ?? 0);
  return ERROR_CODES.ERROR;
}

/** For an error of downloading and applying; errors of other subsystems are the caller's to number. */
export function downloadErrorCode(error: unknown): number {
  if (error instanceof HttpError) return DOWNLOAD_CODES[error.code];
  if (error instanceof PayloadError) return PAYLOAD_OMAHA_CODES[error.code];
  return ERROR_CODES.ERROR;
}

/** Answers that may be others in a moment, though the number is not 5xx. */
const PASSING_STATUSES = [408, 425, 429];

export function failureKindOf(error: unknown): FailureKind {
  if (error instanceof PayloadError) return 'content';
  if (!(error instanceof HttpError)) return 'other';
  if (error.code === 'too-slow' || error.retryable) return 'transfer';
  return PASSING_STATUSES.includes(error.status ?? 0) ? 'transfer' : 'content';
}

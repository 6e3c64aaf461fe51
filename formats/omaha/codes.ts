/** The numbers of Omaha's events and errors, as the lineage uses them, and which of them stands for which error of ours. */
import type {PayloadErrorCode} from '../payload/types.ts';
import type {OmahaErrorCode} from './errors.ts';

export const EVENT_TYPES = {
  UPDATE_COMPLETE: 3,
  DOWNLOAD_STARTED: 13,
  DOWNLOAD_FINISHED: 14,
} as const;

export const EVENT_RESULTS = {
  ERROR: 0,
  SUCCESS: 1,
  /** After the reboot into the new system. */
  SUCCESS_REBOOT: 2,
  /** It was stopped, or dropped after it was installed. */
  CANCELLED: 4,
  DEFERRED: 9,
} as const;

export const ERROR_CODES = {
  SUCCESS: 0,
  ERROR: 1,
  OMAHA_REQUEST: 2,
  RESPONSE_HANDLER: 3,
  FILESYSTEM_COPIER: 4,
  POSTINSTALL_RUNNER: 5,
  INSTALL_DEVICE_OPEN: 7,
  KERNEL_DEVICE_OPEN: 8,
  DOWNLOAD_TRANSFER: 9,
  PAYLOAD_HASH_MISMATCH: 10,
  PAYLOAD_SIZE_MISMATCH: 11,
  PAYLOAD_VERIFICATION: 12,
  NEW_PARTITION_INFO: 13,
  DOWNLOAD_WRITE: 14,
  NEW_ROOTFS_VERIFICATION: 15,
  NEW_KERNEL_VERIFICATION: 16,
  SIGNED_DELTA_PAYLOAD_EXPECTED: 17,
  PUB_KEY_VERIFICATION: 18,
  BOOTED_FROM_FIRMWARE_B: 19,
  STATE_INITIALIZATION: 20,
  INVALID_METADATA_MAGIC: 21,
  SIGNATURE_MISSING_IN_MANIFEST: 22,
  MANIFEST_PARSE: 23,
  METADATA_SIGNATURE: 24,
  METADATA_SIGNATURE_VERIFICATION: 25,
  METADATA_SIGNATURE_MISMATCH: 26,
  OPERATION_HASH_VERIFICATION: 27,
  OPERATION_EXECUTION: 28,
  OPERATION_HASH_MISMATCH: 29,
  EMPTY_RESPONSE: 30,
  XML_PARSE: 31,
  INVALID_METADATA_SIZE: 32,
  INVALID_METADATA_SIGNATURE: 33,
  OMAHA_RESPONSE_INVALID: 34,
  IGNORED_PER_POLICY: 35,
  DEFERRED_PER_POLICY: 36,
  OMAHA_ERROR_IN_HTTP_RESPONSE: 37,
  OPERATION_HASH_MISSING: 38,
  METADATA_SIGNATURE_MISSING: 39,
  DEFERRED_FOR_BACKOFF: 40,
  POSTINSTALL_POWERWASH: 41,
  PCR_POLICY_VERIFICATION: 42,
  PCR_POLICY_HTTP: 43,
  /** The host came back to the version that it had left. */
  ROLLBACK: 44,
} as const;

/** Plus the status: an HTTP error of the Omaha server. */
export const HTTP_STATUS_BASE = 2000;

/** Flags that clients of the lineage add to an error code. */
export const ERROR_FLAGS = {
  DEV_MODE: 2 ** 31,
  RESUMED: 2 ** 30,
  TEST_IMAGE: 2 ** 29,
  /** Set by every stock client that asks a server of one's own. */
  TEST_OMAHA_URL: 2 ** 28,
} as const;

/** The error code without its flags. */
export function maskErrorCode(code: number): number {
  return code % ERROR_FLAGS.TEST_OMAHA_URL;
}

/** `PAYLOAD_HASH_MISMATCH`, `HTTP_503`, or the number itself. */
export function nameErrorCode(code: number): string {
  const masked = maskErrorCode(code);
  const found = Object.entries(ERROR_CODES).find(([, value]) => value === masked);
  if (found !== undefined) return found[0];
  return masked >= HTTP_STATUS_BASE && masked < HTTP_STATUS_BASE + 600
    ? `HTTP_${masked - HTTP_STATUS_BASE}`
    : String(masked);
}

export const PAYLOAD_OMAHA_CODES = {
  'bad-header': ERROR_CODES.INVALID_METADATA_MAGIC,
  'bad-manifest': ERROR_CODES.MANIFEST_PARSE,
  'bad-operation': ERROR_CODES.OPERATION_EXECUTION,
  unsupported: ERROR_CODES.MANIFEST_PARSE,
  'bad-signature': ERROR_CODES.METADATA_SIGNATURE,
  untrusted: ERROR_CODES.PUB_KEY_VERIFICATION,
  'wrong-hash': ERROR_CODES.OPERATION_HASH_MISMATCH,
  'bad-patch': ERROR_CODES.OPERATION_EXECUTION,
  'bad-data': ERROR_CODES.OPERATION_EXECUTION,
  truncated: ERROR_CODES.PAYLOAD_SIZE_MISMATCH,
} as const satisfies Record<PayloadErrorCode, number>;

export const OMAHA_OMAHA_CODES = {
  'too-large': ERROR_CODES.XML_PARSE,
  'bad-xml': ERROR_CODES.XML_PARSE,
  'bad-document': ERROR_CODES.OMAHA_RESPONSE_INVALID,
  // A stock client has one number for everything but ok and noupdate.
  refused: ERROR_CODES.OMAHA_RESPONSE_INVALID,
  'bad-value': ERROR_CODES.OMAHA_REQUEST,
} as const satisfies Record<OmahaErrorCode, number>;

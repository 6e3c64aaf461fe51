/** What events of hosts say, for logs, the API and the page alike; and what each error number means to an operator. */
import {
  ERROR_CODES,
  EVENT_RESULTS,
  EVENT_TYPES,
  HTTP_STATUS_BASE,
  maskErrorCode,
  nameErrorCode,
} from '../formats/omaha/codes.ts';
import {type OmahaEvent, versionBefore} from '../formats/omaha/request.ts';

export interface EventWords {
  /** Without a capital and a full stop: `installed, waits for a reboot`. */
  readonly text: string;
  readonly tone: 'good' | 'plain' | 'bad';
  /** Why; null when no reason was given. Its code is without flags. */
  readonly error: {readonly code: number; readonly name: string; readonly meaning: string} | null;
}

type EventNumbers = Pick<OmahaEvent, 'type' | 'result' | 'errorCode' | 'previousVersion'>;

/** Of the codes that servers of the lineage act on; others are named by their numbers. */
export function describeEvent(event: EventNumbers): EventWords {
  const {type, result, errorCode} = event;
  const code = errorCode === null ? null : maskErrorCode(errorCode);
  // Some clients say of everything which error it was not.
  const error =
    code === null || code === ERROR_CODES.SUCCESS
      ? null
      : {code, name: nameErrorCode(code), meaning: explainError(code)};
  const {DOWNLOAD_STARTED, DOWNLOAD_FINISHED, UPDATE_COMPLETE} = EVENT_TYPES;
  const {SUCCESS, SUCCESS_REBOOT, CANCELLED, DEFERRED, ERROR} = EVENT_RESULTS;
  const plain = (text: string): EventWords => ({text, tone: 'plain', error});
  if (result === ERROR) {
    const text = code === ERROR_CODES.ROLLBACK ? 'came back to the version before' : 'update failed';
    return {text, tone: 'bad', error};
  }
  if (result === DEFERRED) return plain('update put off');
  if (type === DOWNLOAD_STARTED && result === SUCCESS) return plain('download started');
  if (type === DOWNLOAD_FINISHED && result === SUCCESS) return plain('download finished');
  if (type === UPDATE_COMPLETE && result === SUCCESS) return plain('installed, waits for a reboot');
  if (type === UPDATE_COMPLETE && result === CANCELLED) return plain('update cancelled');
  if (type === UPDATE_COMPLETE && result === SUCCESS_REBOOT) {
    const before = versionBefore(event);
    const text = `is good${before === null ? '' : `, updated from ${before}`}`;
    return {text, tone: 'good', error};
  }
  return plain(`event ${type}/${result}`);
}

/** On one line, with the name of the error: `update failed: PAYLOAD_HASH_MISMATCH`. */
export function eventLine(event: EventNumbers): string {
  const {text, tone, error} = describeEvent(event);
  if (error?.code === ERROR_CODES.ROLLBACK) return text;
  if (error !== null) return `${text}: ${error.name}`;
  return tone === 'bad' ? `${text}: no reason given` : text;
}

/** A sentence; for a number that nobody gave a meaning it says so. */
export function explainError(code: number): string {
  const name = (Object.keys(ERROR_CODES) as (keyof typeof ERROR_CODES)[]).find(
    (each) => ERROR_CODES[each] === code,
  );
  if (name !== undefined) return MEANINGS[name];
  const status = code - HTTP_STATUS_BASE;
  if (status === 0) return 'The server did not answer: no connection, or none that could be trusted.';
  if (status > 0 && status < 600)
    return `The server, or a proxy on the way, answered with HTTP status ${status}.`;
  return 'No client known here uses this number.';
}

const MEANINGS: Readonly<Record<keyof typeof ERROR_CODES, string>> = {
  SUCCESS: 'Nothing went wrong.',
  ERROR: 'Something that has no number of its own; the log of the host says what.',
  OMAHA_REQUEST: 'The host could not ask this server.',
  RESPONSE_HANDLER: 'The host could not act on the answer of this server.',
  FILESYSTEM_COPIER: 'Copying from the running system failed.',
  POSTINSTALL_RUNNER: 'The last step of the installation failed: making the new system the next to start.',
  INSTALL_DEVICE_OPEN: 'The partition for the new system could not be opened, or something else has it.',
  KERNEL_DEVICE_OPEN:
    'The place of the new kernel could not be written: the EFI partition is full, damaged or gone.',
  DOWNLOAD_TRANSFER:
    'The payload could not be fetched: broken connections, a proxy, or a server that does not have it.',
  PAYLOAD_HASH_MISMATCH: 'What arrived is not the payload that was offered: its SHA-256 differs.',
  PAYLOAD_SIZE_MISMATCH: 'What arrived is not as long as the payload that was offered.',
  PAYLOAD_VERIFICATION: 'The payload as a whole did not pass its check.',
  NEW_PARTITION_INFO: 'The new system does not fit this disk, or is not made for what is on it.',
  DOWNLOAD_WRITE: 'Writing the new system failed: the disk is full, read-only or failing.',
  NEW_ROOTFS_VERIFICATION: 'Read back from the disk, the new system is not what was written.',
  NEW_KERNEL_VERIFICATION: 'Read back from the disk, the new kernel is not what was written.',
  SIGNED_DELTA_PAYLOAD_EXPECTED: 'The payload carries no signature.',
  PUB_KEY_VERIFICATION: 'The payload is signed, but by no key that this host trusts.',
  BOOTED_FROM_FIRMWARE_B: 'The host runs from its second firmware.',
  STATE_INITIALIZATION: 'The host could not read or write what it remembers of the update.',
  INVALID_METADATA_MAGIC: 'What arrived does not begin like a payload.',
  SIGNATURE_MISSING_IN_MANIFEST: 'The payload does not say where its signature is.',
  MANIFEST_PARSE: 'The list of contents of the payload cannot be understood.',
  METADATA_SIGNATURE: 'The signature of the list of contents cannot be read.',
  METADATA_SIGNATURE_VERIFICATION: 'The signature of the list of contents could not be checked.',
  METADATA_SIGNATURE_MISMATCH: 'The list of contents is not what was signed.',
  OPERATION_HASH_VERIFICATION: 'A part of the payload could not be checked.',
  OPERATION_EXECUTION: 'A part of the payload could not be applied.',
  OPERATION_HASH_MISMATCH: 'A part of the payload is not what its list of contents says.',
  EMPTY_RESPONSE: 'The server answered with nothing.',
  XML_PARSE: 'The answer was no XML: often a proxy, or a page to sign in to the network.',
  INVALID_METADATA_SIZE: 'The list of contents is not as long as it says.',
  INVALID_METADATA_SIGNATURE: 'The signature of the list of contents is wrong.',
  OMAHA_RESPONSE_INVALID: 'The answer was no answer of the protocol, or refused the host.',
  IGNORED_PER_POLICY:
    'The host does not want this release: it failed there before, or is older than what runs.',
  DEFERRED_PER_POLICY: 'The host does not update now: it is not yet good itself, or an operator said so.',
  OMAHA_ERROR_IN_HTTP_RESPONSE: 'The server answered with an error.',
  OPERATION_HASH_MISSING: 'A part of the payload comes without a hash.',
  METADATA_SIGNATURE_MISSING: 'The list of contents comes without a signature.',
  DEFERRED_FOR_BACKOFF: 'After failures the host waits before it tries again.',
  POSTINSTALL_POWERWASH: 'The reset that belongs to the update failed.',
  PCR_POLICY_VERIFICATION: 'The measured boot policy of the new system was refused.',
  PCR_POLICY_HTTP: 'The measured boot policy of the new system could not be sent.',
  ROLLBACK:
    'The new system did not come up or did not pass its health checks; the host is back on the old one.',
};

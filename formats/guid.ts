/**
 * GUIDs as UEFI stores them: text is canonical lower case, bytes are mixed endian.
 *
 * UEFI 2.10 appendix A: the first three fields are little endian, the last two are byte strings. A GUID is kept as
 * its text everywhere but on disk, so that it can be compared, printed and used as a key.
 */
import {CodedError} from './errors.ts';

/** `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, lower case. */
export type Guid = string;

export class GuidError extends CodedError<'bad-guid'> {}

export const GUID_BYTES = 16;
export const NIL_GUID: Guid = '00000000-0000-0000-0000-000000000000';

const TEXT = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** Where each byte of the text lies on disk. */
const DISK_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** Checks a GUID that a person or a tool wrote, in either case. Throws GuidError. */
export function parseGuid(text: string): Guid {
  const lower = text.toLowerCase();
  if (!TEXT.test(lower)) throw new GuidError('bad-guid', `"${text}" is not a GUID`);
  return lower;
}

/**
 * The GUID whose text starts with the same hex digits: how the Discoverable Partitions Specification names a USR
 * partition by its verity root hash. `hex` has 32 digits or more; the rest is left out. Throws GuidError.
 */
export function guidFromHex(hex: string): Guid {
  if (!/^[\da-f]{32,}$/i.test(hex)) {
    throw new GuidError('bad-guid', `"${hex}" does not start with 32 hex digits`);
  }
  return parseGuid(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5'));
}

/** The 16 bytes on disk. Throws GuidError. */
export function encodeGuid(guid: Guid): Uint8Array {
  const digits = Buffer.from(parseGuid(guid).replaceAll('-', ''), 'hex');
  return Uint8Array.from(DISK_ORDER, (from) => digits[from] ?? 0);
}

/** Reads the 16 bytes at the start of `bytes`. Throws GuidError when there are fewer. */
export function decodeGuid(bytes: Uint8Array): Guid {
  if (bytes.length < GUID_BYTES) {
    throw new GuidError('bad-guid', `a GUID has ${GUID_BYTES} bytes, got ${bytes.length}`);
  }
  const hex = Buffer.from(DISK_ORDER.map((from) => bytes[from] ?? 0)).toString('hex');
  // Right by its making; a table has hundreds of them.
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

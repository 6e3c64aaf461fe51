/** The GPT partition entry array, UEFI 2.10 section 5.3.3 and table 5.6. */
import {decodeGuid, encodeGuid, GUID_BYTES, NIL_GUID, parseGuid} from '../guid.ts';
import {checkEntryArray, GptError, type GptEntry} from './types.ts';

/** UTF-16 units, without a terminator being required. */
const MAX_NAME_UNITS = 36;
const NIL_TYPE = new Uint8Array(GUID_BYTES);
const MAX_U64 = (1n << 64n) - 1n;
/** Offsets of table 5.6. */
const AT = {
  typeGuid: 0,
  uniqueGuid: 16,
  firstLba: 32,
  lastLba: 40,
  attributes: 48,
  name: 56,
  end: 128,
} as const;

/** The array, not padded to a sector. Throws GptError. */
export function encodeEntries(entries: readonly (GptEntry | null)[], entrySize: number): Uint8Array {
  checkEntryArray(entries.length, entrySize);
  const bytes = Buffer.alloc(entries.length * entrySize);
  for (const [index, entry] of entries.entries()) {
    if (entry !== null) writeEntry(bytes.subarray(index * entrySize), entry, index);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Reads `entryCount` entries. An entry whose type is nil is unused, whatever its other bytes hold (section 5.3.3);
 * what follows the NUL of a name is ignored, because partitioning tools leave rests there. Throws GptError.
 */
export function decodeEntries(bytes: Uint8Array, entryCount: number, entrySize: number): (GptEntry | null)[] {
  checkEntryArray(entryCount, entrySize);
  if (bytes.length < entryCount * entrySize) {
    throw new GptError(
      'truncated',
      `${entryCount} entries of ${entrySize} bytes expected, got ${bytes.length} bytes`,
    );
  }
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({length: entryCount}, (_, index) =>
    readEntry(all.subarray(index * entrySize, (index + 1) * entrySize), index),
  );
}

function writeEntry(bytes: Buffer, entry: GptEntry, index: number): void {
  if (entry.name.length > MAX_NAME_UNITS || entry.name.includes('\0')) {
    throw new GptError(
      'bad-name',
      `name "${entry.name}" of partition ${index + 1} is not ${MAX_NAME_UNITS} UTF-16 units or fewer without NUL`,
    );
  }
  if (parseGuid(entry.typeGuid) === NIL_GUID) {
    throw new GptError('bad-type', `partition ${index + 1} has the type of an unused entry`);
  }
  if (entry.attributes < 0n || entry.attributes > MAX_U64) {
    throw new GptError('bad-attributes', `attributes of partition ${index + 1} do not fit in 64 bits`);
  }
  bytes.set(encodeGuid(entry.typeGuid), AT.typeGuid);
  bytes.set(encodeGuid(entry.uniqueGuid), AT.uniqueGuid);
  bytes.writeBigUInt64LE(entry.firstLba, AT.firstLba);
  bytes.writeBigUInt64LE(entry.lastLba, AT.lastLba);
  bytes.writeBigUInt64LE(entry.attributes, AT.attributes);
  bytes.write(entry.name, AT.name, 'utf16le');
}

function readEntry(bytes: Buffer, index: number): GptEntry | null {
  // Most entries of a table are unused.
  if (bytes.compare(NIL_TYPE, 0, GUID_BYTES, AT.typeGuid, AT.uniqueGuid) === 0) return null;
  const typeGuid = decodeGuid(bytes.subarray(AT.typeGuid));
  if (bytes.subarray(AT.end).some((byte) => byte !== 0)) {
    throw new GptError('bad-reserved', `reserved bytes of the entry of partition ${index + 1} are not zero`);
  }
  const padded = bytes.toString('utf16le', AT.name, AT.end);
  const end = padded.indexOf('\0');
  return {
    typeGuid,
    uniqueGuid: decodeGuid(bytes.subarray(AT.uniqueGuid)),
    firstLba: bytes.readBigUInt64LE(AT.firstLba),
    lastLba: bytes.readBigUInt64LE(AT.lastLba),
    attributes: bytes.readBigUInt64LE(AT.attributes),
    name: end === -1 ? padded : padded.slice(0, end),
  };
}

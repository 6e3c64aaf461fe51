/**
 * How many bytes an .xz stream unpacks to, by the index at its end. Nothing here unpacks: it tells what to expect of xz,
 * which holds the index against what it unpacked.
 *
 * Format: "The .xz File Format" 1.1.0, sections 2 to 4.
 */
import {crc32} from 'node:zlib';

/** Stream header and stream footer have this length each. */
const EDGE_BYTES = 12;
const HEADER_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const FOOTER_MAGIC = Buffer.from('YZ');
const INDEX_INDICATOR = 0;
/** Indicator, number of records, padding and CRC32. */
const MIN_INDEX_BYTES = 8;
/** Of seven bits each; more than any size that a number of JavaScript holds exactly. */
const MAX_NUMBER_BYTES = 7;

/** Null unless the bytes are exactly one stream, without padding, whose index is sound. */
export function unpackedBytesOfXz(bytes: Uint8Array): number | null {
  const index = findIndex(bytes);
  if (index === null) return null;
  const reader = new NumberReader(index.subarray(1, -4));
  const records = reader.next();
  let [packed, unpacked] = [2 * EDGE_BYTES + index.length, 0];
  for (let left = records ?? 0; left > 0; left -= 1) {
    const [unpaddedBytes, blockBytes] = [reader.next(), reader.next()];
    if (unpaddedBytes === null || blockBytes === null || unpaddedBytes === 0) return null;
    packed += roundUp(unpaddedBytes);
    unpacked += blockBytes;
    if (packed > bytes.length || !Number.isSafeInteger(unpacked)) return null;
  }
  return records !== null && reader.isPaddingLeft() && packed === bytes.length ? unpacked : null;
}

function findIndex(bytes: Uint8Array): Buffer | null {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (all.length < 2 * EDGE_BYTES + MIN_INDEX_BYTES || all.length % 4 !== 0) return null;
  const header = all.subarray(0, EDGE_BYTES);
  const footer = all.subarray(-EDGE_BYTES);
  const flags = header.subarray(6, 8);
  if (!header.subarray(0, 6).equals(HEADER_MAGIC) || !footer.subarray(10).equals(FOOTER_MAGIC)) return null;
  if (header.readUInt32LE(8) !== crc32(flags) || !footer.subarray(8, 10).equals(flags)) return null;
  if (footer.readUInt32LE(0) !== crc32(footer.subarray(4, 10))) return null;
  const indexBytes = (footer.readUInt32LE(4) + 1) * 4;
  if (indexBytes < MIN_INDEX_BYTES || indexBytes > all.length - 2 * EDGE_BYTES) return null;
  const index = all.subarray(all.length - EDGE_BYTES - indexBytes, -EDGE_BYTES);
  const isSound =
    index[0] === INDEX_INDICATOR && index.readUInt32LE(indexBytes - 4) === crc32(index.subarray(0, -4));
  return isSound ? index : null;
}

/** Numbers of seven bits a byte, lowest first; the highest bit says that more follow. */
class NumberReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Null at the end, and for a number that is too long. */
  next(): number | null {
    let value = 0;
    for (let place = 0; place < MAX_NUMBER_BYTES; place += 1) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return null;
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return byte === 0 && place > 0 ? null : value;
    }
    return null;
  }

  isPaddingLeft(): boolean {
    const rest = this.#bytes.subarray(this.#at);
    return rest.length < 4 && rest.every((byte) => byte === 0);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** The GPT header, UEFI 2.10 section 5.3.2 and table 5.5: one sector, 92 bytes of it used. */
import {crc32} from 'node:zlib';
import {decodeGuid, encodeGuid, type Guid} from '../guid.ts';
import {checkEntryArray, GptError, type SectorSize} from './types.ts';

export interface GptHeader {
  myLba: bigint;
  alternateLba: bigint;
  firstUsableLba: bigint;
  lastUsableLba: bigint;
  diskGuid: Guid;
  entriesLba: bigint;
  entryCount: number;
  entrySize: number;
  entriesCrc: number;
}

const SIGNATURE = 'EFI PART';
const REVISION = 0x0001_0000;
const HEADER_BYTES = 92;
/** Offsets of table 5.5. */
const AT = {
  revision: 8,
  headerSize: 12,
  headerCrc: 16,
  reserved: 20,
  myLba: 24,
  alternateLba: 32,
  firstUsableLba: 40,
  lastUsableLba: 48,
  diskGuid: 56,
  entriesLba: 72,
  entryCount: 80,
  entrySize: 84,
  entriesCrc: 88,
} as const;

/** One sector. */
export function encodeHeader(header: GptHeader, sectorSize: SectorSize): Uint8Array {
  checkEntryArray(header.entryCount, header.entrySize);
  const bytes = Buffer.alloc(sectorSize);
  bytes.write(SIGNATURE, 'latin1');
  bytes.writeUInt32LE(REVISION, AT.revision);
  bytes.writeUInt32LE(HEADER_BYTES, AT.headerSize);
  bytes.writeBigUInt64LE(header.myLba, AT.myLba);
  bytes.writeBigUInt64LE(header.alternateLba, AT.alternateLba);
  bytes.writeBigUInt64LE(header.firstUsableLba, AT.firstUsableLba);
  bytes.writeBigUInt64LE(header.lastUsableLba, AT.lastUsableLba);
  bytes.set(encodeGuid(header.diskGuid), AT.diskGuid);
  bytes.writeBigUInt64LE(header.entriesLba, AT.entriesLba);
  bytes.writeUInt32LE(header.entryCount, AT.entryCount);
  bytes.writeUInt32LE(header.entrySize, AT.entrySize);
  bytes.writeUInt32LE(header.entriesCrc, AT.entriesCrc);
  bytes.writeUInt32LE(headerCrc(bytes), AT.headerCrc);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Reads the header in one whole sector that came from `lba`. Stricter than UEFI asks: the size must be 92, which is
 * what every partitioning tool writes, because a longer header would hold fields that we would lose on writing.
 * Bounds are for table.ts, which knows the disk. Throws GptError.
 */
export function decodeHeader(sector: Uint8Array, lba: bigint): GptHeader {
  const bytes = Buffer.from(sector.buffer, sector.byteOffset, sector.length);
  if (bytes.length < HEADER_BYTES) {
    throw new GptError('truncated', `a GPT header has ${HEADER_BYTES} bytes, got ${bytes.length}`);
  }
  if (bytes.toString('latin1', 0, SIGNATURE.length) !== SIGNATURE) {
    throw new GptError('bad-signature', `no GPT header in sector ${lba}: the signature is missing`);
  }
  const revision = bytes.readUInt32LE(AT.revision);
  if (revision !== REVISION) {
    throw new GptError('bad-revision', `GPT revision is 0x${revision.toString(16)}, expected 0x10000`);
  }
  const headerSize = bytes.readUInt32LE(AT.headerSize);
  if (headerSize !== HEADER_BYTES) {
    throw new GptError('bad-header-size', `GPT header says ${headerSize} bytes, expected ${HEADER_BYTES}`);
  }
  const stored = bytes.readUInt32LE(AT.headerCrc);
  const computed = headerCrc(bytes);
  if (stored !== computed) {
    throw new GptError(
      'bad-header-crc',
      `GPT header in sector ${lba} has CRC ${hex(stored)}, its bytes give ${hex(computed)}`,
    );
  }
  if (bytes.readUInt32LE(AT.reserved) !== 0 || bytes.subarray(HEADER_BYTES).some((byte) => byte !== 0)) {
    throw new GptError('bad-reserved', `reserved bytes of the GPT header in sector ${lba} are not zero`);
  }
  const header: GptHeader = {
    myLba: bytes.readBigUInt64LE(AT.myLba),
    alternateLba: bytes.readBigUInt64LE(AT.alternateLba),
    firstUsableLba: bytes.readBigUInt64LE(AT.firstUsableLba),
    lastUsableLba: bytes.readBigUInt64LE(AT.lastUsableLba),
    diskGuid: decodeGuid(bytes.subarray(AT.diskGuid)),
    entriesLba: bytes.readBigUInt64LE(AT.entriesLba),
    entryCount: bytes.readUInt32LE(AT.entryCount),
    entrySize: bytes.readUInt32LE(AT.entrySize),
    entriesCrc: bytes.readUInt32LE(AT.entriesCrc),
  };
  if (header.myLba !== lba) {
    throw new GptError('bad-location', `GPT header in sector ${lba} says that it belongs to ${header.myLba}`);
  }
  checkEntryArray(header.entryCount, header.entrySize);
  return header;
}

/** The CRC of the first 92 bytes with the CRC field taken as zero. */
function headerCrc(sector: Uint8Array): number {
  const copy = Uint8Array.from(sector.subarray(0, HEADER_BYTES));
  copy.fill(0, AT.headerCrc, AT.headerCrc + 4);
  return crc32(copy);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

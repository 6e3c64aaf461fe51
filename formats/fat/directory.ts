/**
 * Directories of FAT: short names of 8 and 3 characters, and in front of each the pieces of its long name.
 *
 * Format: FAT32 File System Specification 1.03, "FAT Directory Structure" and "FAT Long Directory Entries".
 */
import {FatError} from './boot-sector.ts';

export interface FatEntry {
  /** The long name, or the short one when there is none. */
  name: string;
  /** `BASE.EXT`, upper case. */
  shortName: string;
  kind: 'file' | 'directory';
  /** 0 for a directory. */
  bytes: number;
  firstCluster: number;
  /** Where its entry lies in the content of its directory. */
  at: number;
  /** Where the first piece of its long name lies; `at` when it has none. */
  piecesAt: number;
}

export interface FatDirectory {
  entries: FatEntry[];
  /** Of the volume; only the root directory has one. */
  label: string | undefined;
  /** What a power cut may leave and every driver passes over. */
  problems: string[];
}

export const ENTRY_BYTES = 32;
/** Offsets in an entry. */
export const ENTRY_AT = {
  attributes: 11,
  cases: 12,
  checksum: 13,
  clusterHigh: 20,
  time: 22,
  date: 24,
  clusterLow: 26,
  bytes: 28,
} as const;
export const ATTRIBUTE = {volume: 0x08, directory: 0x10, archive: 0x20, longName: 0x0f, mask: 0x3f} as const;
/** First byte of an entry that was deleted, and of those that were never used. */
export const DELETED = 0xe5;
export const UNUSED = 0;
/** Where a piece of a long name keeps its 13 UTF-16 units. */
export const NAME_UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;
/** 255 UTF-16 units in pieces of 13. */
const MAX_PIECES = 20;

interface Pieces {
  /** The number that the next piece must have; 0 when the name is whole. */
  next: number;
  checksum: number;
  text: string;
  /** Where the first of them lies. */
  at: number;
}

/** Reads the content of a directory, whole clusters. Throws FatError. */
export function decodeFatDirectory(content: Uint8Array, path: string): FatDirectory {
  const found: FatDirectory = {entries: [], label: undefined, problems: []};
  let pieces: Pieces | undefined;
  const dropPieces = (): void => {
    if (pieces !== undefined)
      found.problems.push(`/${path}: pieces of the long name "${pieces.text}" belong to no file`);
    pieces = undefined;
  };
  for (let at = 0; at + ENTRY_BYTES <= content.length; at += ENTRY_BYTES) {
    const bytes = Buffer.from(content.buffer, content.byteOffset + at, ENTRY_BYTES);
    // Nothing behind a first 0 is used.
    if (bytes[0] === UNUSED) break;
    const attributes = bytes.readUInt8(ENTRY_AT.attributes) & ATTRIBUTE.mask;
    if (bytes[0] === DELETED) dropPieces();
    else if (attributes === ATTRIBUTE.longName) {
      const added = addPiece(pieces, bytes);
      if (added === undefined) dropPieces();
      pieces = added ?? startPieces(bytes, at);
      if (pieces === undefined) found.problems.push(`/${path}: a piece of a long name stands alone`);
    } else if ((attributes & ATTRIBUTE.volume) !== 0) {
      dropPieces();
      found.label = bytes.toString('latin1', 0, 11).trimEnd();
    } else {
      const isWhole = pieces?.next === 0 && pieces.checksum === shortNameChecksum(bytes);
      if (!isWhole) dropPieces();
      const entry = {...readEntry(bytes, pieces?.text, path), at, piecesAt: pieces?.at ?? at};
      pieces = undefined;
      if (!['.', '..'].includes(entry.shortName)) found.entries.push(entry);
    }
  }
  dropPieces();
  return found;
}

function startPieces(bytes: Buffer, at: number): Pieces | undefined {
  const order = bytes.readUInt8(0);
  const count = order & 0x3f;
  if ((order & 0x40) === 0 || count < 1 || count > MAX_PIECES) return undefined;
  return {next: count - 1, checksum: bytes.readUInt8(ENTRY_AT.checksum), text: pieceText(bytes), at};
}

/** Undefined unless the piece is the one that goes before those read: they are stored last one first. */
function addPiece(pieces: Pieces | undefined, bytes: Buffer): Pieces | undefined {
  if (pieces === undefined || pieces.next === 0) return undefined;
  if (bytes.readUInt8(0) !== pieces.next || bytes.readUInt8(ENTRY_AT.checksum) !== pieces.checksum)
    return undefined;
  return {...pieces, next: pieces.next - 1, text: pieceText(bytes) + pieces.text};
}

function pieceText(bytes: Buffer): string {
  const text = String.fromCharCode(...NAME_UNITS.map((at) => bytes.readUInt16LE(at)));
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function readEntry(
  bytes: Buffer,
  longName: string | undefined,
  path: string,
): Omit<FatEntry, 'at' | 'piecesAt'> {
  const shortName = readShortName(bytes, 0);
  const name = longName ?? readShortName(bytes, bytes.readUInt8(ENTRY_AT.cases));
  const isDirectory = (bytes.readUInt8(ENTRY_AT.attributes) & ATTRIBUTE.directory) !== 0;
  if (name === '' || /[\p{Cc}/\p{Surrogate}]/u.test(name))
    throw new FatError('bad-directory', `/${path} has an entry named ${JSON.stringify(name)}`);
  return {
    name,
    shortName,
    kind: isDirectory ? 'directory' : 'file',
    bytes: isDirectory ? 0 : bytes.readUInt32LE(ENTRY_AT.bytes),
    firstCluster:
      bytes.readUInt16LE(ENTRY_AT.clusterHigh) * 0x1_0000 + bytes.readUInt16LE(ENTRY_AT.clusterLow),
  };
}

/** `cases` has a bit each for a base and an ending that is shown in lower case, as Windows NT and Linux do it. */
function readShortName(bytes: Buffer, cases: number): string {
  const raw = Buffer.from(bytes.subarray(0, 11));
  // 0xE5 as a first character would mean a deleted entry.
  if (raw[0] === 0x05) raw[0] = 0xe5;
  const part = (from: number, to: number, isLower: boolean): string => {
    // The code page of other characters is not written down anywhere.
    const text = raw
      .toString('latin1', from, to)
      .trimEnd()
      .replaceAll(/[\x80-\xff]/g, '\ufffd');
    return isLower ? text.toLowerCase() : text;
  };
  const base = part(0, 8, (cases & 0x08) !== 0);
  const ending = part(8, 11, (cases & 0x10) !== 0);
  return ending === '' || base === '' ? base : `${base}.${ending}`;
}

/** Ties the pieces of a long name to their short one: a driver that knows no long names may have reused the entry. */
export function shortNameChecksum(bytes: Buffer): number {
  return bytes.subarray(0, 11).reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}

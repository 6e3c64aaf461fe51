/**
 * The front of an ELF file: identification, header, and the table of program headers (segments).
 *
 * Only ELF64 little-endian, which is all that our machines run. Every position is checked against the file before it
 * is used. elf.ts makes sense of what the segments hold.
 */
import {CodedError} from './errors.ts';

export type ElfErrorCode =
  | 'bad-magic'
  | 'unsupported'
  | 'truncated'
  | 'bad-header'
  | 'bad-dynamic'
  | 'bad-string'
  | 'bad-note'
  | 'too-many';
export class ElfError extends CodedError<ElfErrorCode> {}

const KINDS = {1: 'relocatable', 2: 'executable', 3: 'shared', 4: 'core'} as const;
export type ElfKind = (typeof KINDS)[keyof typeof KINDS];
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
export const PT = {load: 1, dynamic: 2, interp: 3, note: 4} as const;
/** Real files have about a dozen; PN_XNUM (65535) moves the count elsewhere and is refused with the rest. */
const MAX_PROGRAM_HEADERS = 256;
const MAX_STRING_BYTES = 4096;
/** Beyond any file or user-space address; below it, sums stay exact in a double. */
const MAX_POSITION = 2n ** 52n;

/** Whether these bytes (the first four suffice) begin an ELF file of any class. */
export function isElf(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
  );
}

/** `programHeaders.offset` in bytes from the start of the file. */
export interface ElfHeader {
  machine: number;
  kind: ElfKind;
  programHeaders: {offset: number; count: number};
}

/** Checks identification and header. Throws ElfError. */
export function parseHeader(bytes: Uint8Array, view: DataView): ElfHeader {
  if (!isElf(bytes)) throw new ElfError('bad-magic', 'the file does not begin with the ELF magic');
  if (bytes.length < HEADER_BYTES) throw new ElfError('truncated', `an ELF header in ${bytes.length} bytes`);
  const [fileClass, byteOrder, version] = [view.getUint8(4), view.getUint8(5), view.getUint8(6)];
  if (fileClass !== 2 || byteOrder !== 1 || version !== 1) {
    throw new ElfError(
      'unsupported',
      `expected 64-bit (2), little-endian (1), version 1, got ${fileClass}, ${byteOrder}, ${version}`,
    );
  }
  const type = view.getUint16(16, true);
  const kind = (KINDS as Partial<Record<number, ElfKind>>)[type];
  if (kind === undefined) throw new ElfError('unsupported', `e_type is ${type}`);
  const offset = toNumber(view.getBigUint64(32, true), 'e_phoff');
  const entryBytes = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count > MAX_PROGRAM_HEADERS) throw new ElfError('too-many', `${count} program headers`);
  if (count > 0 && entryBytes !== PROGRAM_HEADER_BYTES) {
    throw new ElfError(
      'bad-header',
      `program headers of ${entryBytes} bytes, expected ${PROGRAM_HEADER_BYTES}`,
    );
  }
  if (count > 0 && offset + count * PROGRAM_HEADER_BYTES > bytes.length) {
    throw new ElfError('truncated', `${count} program headers at ${offset} in ${bytes.length} bytes`);
  }
  return {machine: view.getUint16(18, true), kind, programHeaders: {offset, count}};
}

/** Offset and size in the file, address and alignment in memory, all in bytes. */
export interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
  align: number;
}

export function parseSegments(view: DataView, {offset, count}: ElfHeader['programHeaders']): Segment[] {
  return Array.from({length: count}, (_, index) => {
    const at = offset + index * PROGRAM_HEADER_BYTES;
    const field = (position: number): number =>
      toNumber(view.getBigUint64(at + position, true), `program header ${index}`);
    return {
      type: view.getUint32(at, true),
      offset: field(8),
      address: field(16),
      size: field(32),
      align: field(48),
    };
  });
}

/** The bytes of one range of the file, or ElfError 'truncated'. */
export function part(bytes: Uint8Array, {offset, size}: {offset: number; size: number}): Uint8Array {
  if (offset + size > bytes.length) {
    throw new ElfError('truncated', `${size} bytes at ${offset} in a file of ${bytes.length}`);
  }
  return bytes.subarray(offset, offset + size);
}

/** The NUL-terminated text at `start`. */
export function readString(bytes: Uint8Array, start: number, what: string): string {
  const window = bytes.subarray(start, start + MAX_STRING_BYTES);
  const length = window.indexOf(0);
  if (start >= bytes.length || length === -1) {
    throw new ElfError('bad-string', `${what} at ${start} has no end within ${window.length} bytes`);
  }
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(window.subarray(0, length));
  } catch (cause) {
    throw new ElfError('bad-string', `${what} at ${start} is not UTF-8`, {cause});
  }
}

export function toNumber(value: bigint, what: string): number {
  if (value > MAX_POSITION) throw new ElfError('bad-header', `${what} is ${value}`);
  return Number(value);
}

/**
 * The sections of a PE file, which is what EFI programs are; a UKI keeps kernel, initrd and command line in them.
 *
 * Format: Microsoft's PE specification, and the Unified Kernel Image specification for what the sections mean. Only
 * what a reader of sections needs is looked at; that much is held to the letter.
 */
import {CodedError} from './errors.ts';

export type PeErrorCode = 'truncated' | 'not-pe' | 'unsupported' | 'bad-section';
export class PeError extends CodedError<PeErrorCode> {}

export interface PeSection {
  /** Up to 8 characters, for example `.linux`. */
  name: string;
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes of content; what follows up to the next section is padding. */
  bytes: number;
}

/** Headers and section table of any real file end before this. */
export const PE_HEAD_BYTES = 4096;

const MACHINE_X86_64 = 0x8664;
const MAGIC_PE32_PLUS = 0x20b;
const COFF_HEADER_BYTES = 20;
const SECTION_HEADER_BYTES = 40;
/** The loader of Windows takes no more, and systemd's stub neither. */
const MAX_SECTIONS = 96;
/** Offsets in the DOS header and, behind the signature, in the COFF header. */
const AT = {peOffset: 0x3c, machine: 4, sectionCount: 6, optionalBytes: 20, optionalMagic: 24} as const;
/** Offsets in a section's header. */
const SECTION = {name: 0, virtualBytes: 8, rawBytes: 16, rawOffset: 20} as const;

/**
 * Reads the section table from the first PE_HEAD_BYTES of a file (or the whole file, if it is shorter) of `fileBytes`
 * bytes. Throws PeError.
 */
export function decodePeSections(head: Uint8Array, fileBytes: number): PeSection[] {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (bytes.length < AT.peOffset + 4 || bytes.toString('latin1', 0, 2) !== 'MZ')
    throw new PeError('not-pe', 'the file does not begin with MZ: it is no EFI program');
  const pe = bytes.readUInt32LE(AT.peOffset);
  requireRoom(bytes, pe, 4 + COFF_HEADER_BYTES + 2);
  if (bytes.toString('latin1', pe, pe + 4) !== 'PE\0\0')
    throw new PeError('not-pe', `no PE signature at byte ${pe}`);
  expect('machine', bytes.readUInt16LE(pe + AT.machine), MACHINE_X86_64);
  expect('magic number', bytes.readUInt16LE(pe + AT.optionalMagic), MAGIC_PE32_PLUS);
  const count = bytes.readUInt16LE(pe + AT.sectionCount);
  if (count > MAX_SECTIONS)
    throw new PeError('unsupported', `${count} sections, at most ${MAX_SECTIONS} are allowed`);
  const table = pe + 4 + COFF_HEADER_BYTES + bytes.readUInt16LE(pe + AT.optionalBytes);
  requireRoom(bytes, table, count * SECTION_HEADER_BYTES);
  const sections = Array.from({length: count}, (_, index) => {
    const start = table + index * SECTION_HEADER_BYTES;
    return readSection(bytes.subarray(start, start + SECTION_HEADER_BYTES), fileBytes);
  });
  requireApart(sections);
  return sections;
}

function readSection(header: Buffer, fileBytes: number): PeSection {
  const padded = header.toString('latin1', SECTION.name, SECTION.virtualBytes);
  const name = padded.replace(/\0+$/, '');
  if (!/^[\x21-\x7E]+$/.test(name))
    throw new PeError('bad-section', `${JSON.stringify(padded)} is not the name of a section`);
  const virtualBytes = header.readUInt32LE(SECTION.virtualBytes);
  const rawBytes = header.readUInt32LE(SECTION.rawBytes);
  const offset = header.readUInt32LE(SECTION.rawOffset);
  // Raw data is padded to the file's alignment; what is only in memory has none.
  const bytes = Math.min(virtualBytes, rawBytes);
  if (bytes > 0 && offset + rawBytes > fileBytes) {
    throw new PeError(
      'truncated',
      `section ${name} ends at byte ${offset + rawBytes}, the file at ${fileBytes}`,
    );
  }
  return {name, offset, bytes};
}

function requireApart(sections: readonly PeSection[]): void {
  const placed = sections.filter(({bytes}) => bytes > 0).sort((a, b) => a.offset - b.offset);
  for (const [index, section] of placed.entries()) {
    const next = placed[index + 1];
    if (next !== undefined && section.offset + section.bytes > next.offset)
      throw new PeError('bad-section', `sections ${section.name} and ${next.name} share bytes`);
  }
}

function requireRoom(head: Uint8Array, offset: number, length: number): void {
  if (offset + length > head.length) {
    throw new PeError(
      'truncated',
      `headers reach to byte ${offset + length}, of which ${head.length} were read`,
    );
  }
}

function expect(field: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new PeError('unsupported', `${field} is 0x${got.toString(16)}, expected 0x${expected.toString(16)}`);
}

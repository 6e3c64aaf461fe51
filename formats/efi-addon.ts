/**
 * Kernel arguments as a file that systemd's stub reads beside a UKI: a PE file with nothing but a `.cmdline` section,
 * and code that says "not a program" should anybody start it.
 *
 * Format: Microsoft's PE specification; the addons of the Unified Kernel Image specification. Rejected: ukify, which is
 * no program of hosts, for forty fields of which all but one are constant.
 */
import {CodedError} from './errors.ts';

export class AddonError extends CodedError<'bad-argument' | 'too-long'> {}

/** Where the stub looks on the ESP whatever UKI it belongs to: one file serves both slots, and outlives updates. */
export const ADDON_FOLDER = 'loader/addons';
export const ADDON_SUFFIX = '.addon.efi';

/** x86 takes a command line of 2047 bytes (COMMAND_LINE_SIZE), of which that of a release needs some 700. */
export const MAX_ARGUMENTS_BYTES = 1024;

/** What the release decides: a word behind its own would win, and the host would not find its system. */
const RELEASE_OWNS =
  /^(usrhash|usrfstype|roothash|systemd\.verity[\w.]*|mount\.usr\w*|init|rdinit|initrd)(=|$)/;

const FILE_ALIGNMENT = 0x200;
const SECTION_ALIGNMENT = 0x1000;
const HEADERS_BYTES = 0x400;
const PE_OFFSET = 0x40;
const OPTIONAL_BYTES = 0xf0;
/** movabs rax, EFI_UNSUPPORTED; ret */
const CODE = Buffer.from('48b80300000000000080c3', 'hex');
const CHARACTERISTICS = {code: 0x6000_0020, data: 0x4000_0040} as const;

/** Throws AddonError. */
export function encodeKernelAddon(words: readonly string[]): Uint8Array {
  for (const word of words) {
    if (!/^[\x21-\x7e]+$/.test(word))
      throw new AddonError(
        'bad-argument',
        `${JSON.stringify(word.slice(0, 80))} is not one word of plain characters`,
      );
    if (RELEASE_OWNS.test(word))
      throw new AddonError('bad-argument', `${word.slice(0, 80)}: the release itself sets this`);
  }
  const text = Buffer.from(words.join(' '));
  if (text.length === 0) throw new AddonError('bad-argument', 'no kernel argument was given');
  if (text.length > MAX_ARGUMENTS_BYTES)
    throw new AddonError(
      'too-long',
      `${text.length} bytes of kernel arguments, more than ${MAX_ARGUMENTS_BYTES}`,
    );
  return assemble([
    {name: '.text', content: CODE, characteristics: CHARACTERISTICS.code},
    {name: '.cmdline', content: text, characteristics: CHARACTERISTICS.data},
  ]);
}

interface Section {
  readonly name: string;
  readonly content: Buffer;
  readonly characteristics: number;
}

function assemble(sections: readonly Section[]): Buffer {
  const file = Buffer.alloc(
    HEADERS_BYTES + sections.reduce((sum, {content}) => sum + aligned(content.length, FILE_ALIGNMENT), 0),
  );
  writeHeaders(file, sections.length);
  let [offset, address] = [HEADERS_BYTES, SECTION_ALIGNMENT];
  for (const [index, {name, content, characteristics}] of sections.entries()) {
    const header = file.subarray(PE_OFFSET + 24 + OPTIONAL_BYTES + index * 40);
    header.write(name, 0, 8, 'latin1');
    header.writeUInt32LE(content.length, 8);
    header.writeUInt32LE(address, 12);
    header.writeUInt32LE(aligned(content.length, FILE_ALIGNMENT), 16);
    header.writeUInt32LE(offset, 20);
    header.writeUInt32LE(characteristics, 36);
    content.copy(file, offset);
    offset += aligned(content.length, FILE_ALIGNMENT);
    address += aligned(content.length, SECTION_ALIGNMENT);
  }
  // SizeOfImage
  file.writeUInt32LE(address, PE_OFFSET + 24 + 56);
  return file;
}

/** Offsets are those of the COFF header (at the PE signature) and of the optional header of PE32+. */
function writeHeaders(file: Buffer, sectionCount: number): void {
  file.write('MZ', 0, 'latin1');
  file.writeUInt32LE(PE_OFFSET, 0x3c);
  const coff = file.subarray(PE_OFFSET);
  coff.write('PE\0\0', 0, 'latin1');
  coff.writeUInt16LE(0x8664, 4);
  coff.writeUInt16LE(sectionCount, 6);
  coff.writeUInt16LE(OPTIONAL_BYTES, 20);
  // Executable, large addresses, no line numbers, symbols or debugging information.
  coff.writeUInt16LE(0x022e, 22);
  const optional = file.subarray(PE_OFFSET + 24);
  optional.writeUInt16LE(0x020b, 0);
  optional.writeUInt32LE(CODE.length, 4);
  optional.writeUInt32LE(SECTION_ALIGNMENT, 16);
  optional.writeUInt32LE(SECTION_ALIGNMENT, 20);
  optional.writeBigUInt64LE(0x1_0000_0000n, 24);
  optional.writeUInt32LE(SECTION_ALIGNMENT, 32);
  optional.writeUInt32LE(FILE_ALIGNMENT, 36);
  optional.writeUInt16LE(1, 48);
  optional.writeUInt16LE(1, 50);
  optional.writeUInt32LE(HEADERS_BYTES, 60);
  // An EFI application that may be loaded anywhere, and whose data is not code.
  optional.writeUInt16LE(10, 68);
  optional.writeUInt16LE(0x0160, 70);
  optional.writeBigUInt64LE(0x10_0000n, 72);
  optional.writeBigUInt64LE(0x1000n, 80);
  optional.writeBigUInt64LE(0x10_0000n, 88);
  optional.writeBigUInt64LE(0x1000n, 96);
  optional.writeUInt32LE(16, 108);
}

function aligned(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}

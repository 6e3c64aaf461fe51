/** A PE file with the sections that a test wants; small enough to stand for a UKI on a disk in memory. */

const HEADER_BYTES = 0x600;
const ALIGNMENT = 512;
const PE_OFFSET = 0x80;
const OPTIONAL_BYTES = 0xf0;

export function peFile(sections: readonly (readonly [string, string | Uint8Array])[]): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.write('MZ');
  head.writeUInt32LE(PE_OFFSET, 0x3c);
  head.write('PE\0\0', PE_OFFSET, 'latin1');
  head.writeUInt16LE(0x8664, PE_OFFSET + 4);
  head.writeUInt16LE(sections.length, PE_OFFSET + 6);
  head.writeUInt16LE(OPTIONAL_BYTES, PE_OFFSET + 20);
  head.writeUInt16LE(0x20b, PE_OFFSET + 24);
  const contents: Buffer[] = [];
  let offset = HEADER_BYTES;
  for (const [index, [name, content]] of sections.entries()) {
    const data = Buffer.from(content);
    const padded = Buffer.alloc(Math.ceil(data.length / ALIGNMENT) * ALIGNMENT);
    data.copy(padded);
    const at = PE_OFFSET + 24 + OPTIONAL_BYTES + 40 * index;
    head.write(name, at, 'latin1');
    head.writeUInt32LE(data.length, at + 8);
    head.writeUInt32LE(padded.length, at + 16);
    head.writeUInt32LE(offset, at + 20);
    offset += padded.length;
    contents.push(padded);
  }
  return Buffer.concat([head, ...contents]);
}

/** Where the header of a section lies, for tests that break it. */
export function sectionHeaderAt(index: number): number {
  return PE_OFFSET + 24 + OPTIONAL_BYTES + 40 * index;
}

export function ukiFile(options: {commandLine: string; version?: string; initrd?: Uint8Array}): Buffer {
  const {commandLine, version = '1.2.3', initrd} = options;
  return peFile([
    ['.text', 'stub'],
    [
      '.osrel',
      `ID=caisson\nIMAGE_ID=caisson\nVERSION_ID="${version}"\nIMAGE_VERSION="${version}"\nBUILD_ID=20260102-abc\nCAISSON_CHANNEL=stable\n`,
    ],
    ['.cmdline', commandLine],
    ['.uname', '6.12.0-test'],
    ['.linux', 'kernel'],
    ['.initrd', initrd === undefined || initrd.length === 0 ? 'initrd' : initrd],
  ]);
}

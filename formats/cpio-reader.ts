/**
 * Strict reader of newc cpio archives, for looking into an initrd. The writer and the types are in cpio.ts.
 *
 * It accepts only what it fully understands: no FIFOs, no sockets, no CRC variant (magic 070702), no paths that
 * would leave the tree.
 */
import {
  align4,
  checkPath,
  encodeTarget,
  CpioError,
  DEVICE_BITS,
  HEADER_BYTES,
  MAGIC,
  MAX_PATH_BYTES,
  TRAILER,
  TYPE_BITS,
  type CpioCommon,
  type CpioHeader,
} from './cpio.ts';

export type DecodedCpioEntry = Required<CpioCommon> & {
  inode: number;
  /** Above 1 for a hard-linked file; GNU cpio stores its bytes with the last name only. */
  links: number;
} & (
    | {kind: 'file'; data: Uint8Array}
    | {kind: 'directory'}
    | {kind: 'symlink'; target: string}
    | {kind: 'device'; device: 'char' | 'block'; major: number; minor: number}
  );

const FIELD_COUNT = 13;
const S_IFMT = 0o170_000;
/** More files than any initrd has; a bound for the reader's memory. */
const DEFAULT_MAX_ENTRIES = 1_000_000;

/**
 * Decodes one whole archive; file data are views into `bytes`. Zero bytes may follow the trailer (GNU cpio fills its
 * last block), anything else is refused. Throws CpioError.
 */
export function decodeCpio(bytes: Uint8Array, options: {maxEntries?: number} = {}): DecodedCpioEntry[] {
  const maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
  const entries: DecodedCpioEntry[] = [];
  let offset = 0;
  for (;;) {
    const header = decodeHeader(bytes, offset);
    offset = align4(header.dataStart + header.size);
    const data = slice(bytes, header.dataStart, header.dataStart + header.size, header.name);
    if (!isZero(slice(bytes, header.dataStart + header.size, offset, header.name))) {
      throw new CpioError('bad-field', `${header.name}: padding after the data is not zero`);
    }
    if (header.name === TRAILER) break;
    if (entries.length === maxEntries) throw new CpioError('too-many', `more than ${maxEntries} entries`);
    entries.push(decodeEntry(header, data));
  }
  if (!isZero(bytes.subarray(offset))) {
    throw new CpioError('trailing-bytes', `the archive ends at ${offset}, but other bytes follow`);
  }
  return entries;
}

function decodeEntry(header: Required<CpioHeader>, data: Uint8Array): DecodedCpioEntry {
  const {name: path, inode, links, uid, gid, mtime, major, minor} = header;
  const common = {path, inode, links, uid, gid, mtime, mode: header.mode & ~S_IFMT};
  const entry = ((): DecodedCpioEntry => {
    switch (header.mode & S_IFMT) {
      case TYPE_BITS.file:
        return {...common, kind: 'file', data};
      case TYPE_BITS.directory:
        return {...common, kind: 'directory'};
      case TYPE_BITS.symlink:
        return {...common, kind: 'symlink', target: decodeText(data, path)};
      case DEVICE_BITS.char:
        return {...common, kind: 'device', device: 'char', major, minor};
      case DEVICE_BITS.block:
        return {...common, kind: 'device', device: 'block', major, minor};
      default:
        throw new CpioError('unsupported', `${path}: mode ${header.mode.toString(8)} is of no known type`);
    }
  })();
  checkPath(path, entry.kind);
  if (header.mode > 0o177_777) {
    throw new CpioError('bad-field', `${path}: mode ${header.mode.toString(8)} has unknown bits`);
  }
  if (entry.kind === 'symlink') encodeTarget(path, entry.target);
  if ((entry.kind === 'directory' || entry.kind === 'device') && data.length > 0) {
    throw new CpioError('bad-field', `${path}: a ${entry.kind} carries ${data.length} bytes`);
  }
  return entry;
}

function decodeHeader(bytes: Uint8Array, offset: number): Required<CpioHeader> & {dataStart: number} {
  const text = Buffer.from(slice(bytes, offset, offset + HEADER_BYTES, `header at ${offset}`)).toString(
    'latin1',
  );
  if (!text.startsWith(MAGIC)) {
    throw new CpioError(
      'bad-magic',
      `expected ${MAGIC} at ${offset}, got ${JSON.stringify(text.slice(0, 6))}`,
    );
  }
  const fields = Array.from({length: FIELD_COUNT}, (_, index) => {
    const field = text.slice(MAGIC.length + 8 * index, MAGIC.length + 8 * (index + 1));
    if (!/^[0-9a-fA-F]{8}$/.test(field)) {
      throw new CpioError(
        'bad-field',
        `field ${index} of the header at ${offset} is ${JSON.stringify(field)}`,
      );
    }
    return parseInt(field, 16);
  }) as Fields;
  const [inode, mode, uid, gid, links, mtime, size, , , major, minor, nameBytes] = fields;
  if (nameBytes < 2 || nameBytes > MAX_PATH_BYTES) {
    throw new CpioError('bad-path', `name of ${nameBytes} bytes in the header at ${offset}`);
  }
  const nameStart = offset + HEADER_BYTES;
  const dataStart = align4(nameStart + nameBytes);
  const rawName = slice(bytes, nameStart, nameStart + nameBytes - 1, `name at ${nameStart}`);
  if (!isZero(slice(bytes, nameStart + nameBytes - 1, dataStart, `name at ${nameStart}`))) {
    throw new CpioError('bad-field', `the name at ${nameStart} does not end in zeros`);
  }
  const name = decodeText(rawName, `name at ${nameStart}`);
  return {name, inode, mode, uid, gid, links, mtime, size, major, minor, dataStart};
}

type Fields = [...ElevenFields, number, number];
type ElevenFields = [number, number, number, number, number, number, number, number, number, number, number];

function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch (cause) {
    throw new CpioError('bad-path', `${what}: not UTF-8`, {cause});
  }
}

function slice(bytes: Uint8Array, start: number, end: number, what: string): Uint8Array {
  if (end > bytes.length) {
    throw new CpioError('truncated', `${what}: needs bytes up to ${end}, the archive has ${bytes.length}`);
  }
  return bytes.subarray(start, end);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

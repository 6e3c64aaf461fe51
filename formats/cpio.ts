/**
 * The "newc" cpio archive (magic 070701), which the kernel unpacks as its initrd.
 *
 * The writer is deterministic: entries sorted by the bytes of their path, inodes counted from 1, one fixed mtime,
 * parents made before children. Rejected: the `cpio` command, whose inode and device numbers come from the machine
 * that runs it. The reader is in cpio-reader.ts.
 *
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel, and cpio(5).
 */
import {CodedError} from './errors.ts';

export type CpioErrorCode =
  | 'bad-path'
  | 'duplicate-path'
  | 'bad-parent'
  | 'out-of-range'
  | 'wrong-size'
  | 'truncated'
  | 'bad-magic'
  | 'bad-field'
  | 'unsupported'
  | 'too-many'
  | 'trailing-bytes';
export class CpioError extends CodedError<CpioErrorCode> {}

/** File contents that are produced piece by piece when their turn comes; the pieces must add up to `size` bytes. */
export interface CpioStream {
  size: number;
  chunks: () => Iterable<Uint8Array>;
}

export interface CpioCommon {
  /** Relative, `/`-separated, without empty, `.` or `..` parts; a directory may also be `.`, the root itself. */
  path: string;
  /** Permission bits with set-id and sticky bits (12 bits); the file type comes from `kind`. */
  mode: number;
  uid?: number;
  gid?: number;
  /** Seconds since 1970; overrides the archive's. */
  mtime?: number;
}

export type CpioEntry =
  | (CpioCommon & {kind: 'file'; data: Uint8Array | CpioStream})
  | (CpioCommon & {kind: 'directory'})
  /** Nothing looks at the mode of a link, so it may be left out. */
  | (Omit<CpioCommon, 'mode'> & {kind: 'symlink'; mode?: number; target: string})
  | (CpioCommon & {kind: 'device'; device: 'char' | 'block'; major: number; minor: number});

export const MAGIC = '070701';
export const HEADER_BYTES = 110;
export const TRAILER = 'TRAILER!!!';
/** PATH_MAX of Linux with the ending NUL; init/initramfs.c skips longer names and targets without a word. */
export const MAX_PATH_BYTES = 4096;
/** NUL ends a name early; half a surrogate pair has no UTF-8 form of its own, so two names would become one. */
const UNFIT = /[\0\p{Surrogate}]/u;
const MAX_U32 = 0xffff_ffff;
export const TYPE_BITS = {file: 0o100_000, directory: 0o040_000, symlink: 0o120_000} as const;
export const DEVICE_BITS = {char: 0o020_000, block: 0o060_000} as const;

/**
 * Encodes entries in any order as one archive. Missing parents become directories root:root 0755.
 * `mtime` (seconds) is given to every entry without its own. Throws CpioError before the first byte when the entries
 * contradict each other, and 'wrong-size' when a stream does not deliver its size.
 */
export function* encodeCpio(
  entries: Iterable<CpioEntry>,
  options: {mtime?: number} = {},
): Generator<Uint8Array> {
  const mtime = options.mtime ?? 0;
  let inode = 0;
  for (const entry of arrangeEntries(entries)) {
    inode += 1;
    yield* encodeEntry(entry, inode, entry.mtime ?? mtime);
  }
  yield encodeHeader({name: TRAILER, inode: 0, mode: 0, uid: 0, gid: 0, links: 1, mtime: 0, size: 0});
}

/** Adds missing parents and sorts; a parent is a prefix of its children, so byte order puts it first. */
function arrangeEntries(entries: Iterable<CpioEntry>): CpioEntry[] {
  const byPath = new Map<string, CpioEntry>();
  for (const entry of entries) {
    checkPath(entry.path, entry.kind);
    if (byPath.has(entry.path)) throw new CpioError('duplicate-path', `${entry.path} is given twice`);
    byPath.set(entry.path, entry);
  }
  for (const path of [...byPath.keys()]) {
    for (let end = path.lastIndexOf('/'); end !== -1; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      const kind = byPath.get(parent)?.kind;
      if (kind === undefined) {
        byPath.set(parent, {path: parent, kind: 'directory', mode: 0o755});
      } else if (kind !== 'directory') {
        throw new CpioError('bad-parent', `${path} lies below ${parent}, which is a ${kind}`);
      }
    }
  }
  return [...byPath.values()]
    .map((entry) => ({entry, key: Buffer.from(entry.path)}))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({entry}) => entry);
}

function* encodeEntry(entry: CpioEntry, inode: number, mtime: number): Generator<Uint8Array> {
  const {path: name, uid = 0, gid = 0, mode: permissions = 0o777} = entry;
  if (!Number.isInteger(permissions) || permissions < 0 || permissions > 0o7777) {
    throw new CpioError('out-of-range', `${name}: mode ${permissions.toString(8)} exceeds 7777`);
  }
  const common = {name, inode, uid, gid, mtime, links: entry.kind === 'directory' ? 2 : 1, size: 0};
  if (entry.kind === 'device') {
    const {device, major, minor} = entry;
    yield encodeHeader({...common, mode: permissions | DEVICE_BITS[device], major, minor});
    return;
  }
  const mode = permissions | TYPE_BITS[entry.kind];
  if (entry.kind === 'directory') {
    yield encodeHeader({...common, mode});
    return;
  }
  const body = entry.kind === 'symlink' ? encodeTarget(entry.path, entry.target) : entry.data;
  const size = body instanceof Uint8Array ? body.length : body.size;
  yield encodeHeader({...common, mode, size});
  if (size > 0 && body instanceof Uint8Array) yield body;
  if (!(body instanceof Uint8Array)) yield* checkedChunks(entry.path, body);
  if (size % 4 !== 0) yield new Uint8Array(4 - (size % 4));
}

function* checkedChunks(path: string, stream: CpioStream): Generator<Uint8Array> {
  let left = stream.size;
  for (const chunk of stream.chunks()) {
    left -= chunk.length;
    if (left < 0) break;
    yield chunk;
  }
  if (left !== 0) {
    const found = left < 0 ? 'more' : `${stream.size - left}`;
    throw new CpioError('wrong-size', `${path}: expected ${stream.size} bytes, got ${found}`);
  }
}

/** The bytes of a link target. Throws CpioError 'bad-path' for one that the kernel would not take. */
export function encodeTarget(path: string, target: string): Uint8Array {
  const bytes = Buffer.from(target);
  if (bytes.length === 0 || bytes.length >= MAX_PATH_BYTES || UNFIT.test(target)) {
    throw new CpioError('bad-path', `${path}: cannot link to ${JSON.stringify(target.slice(0, 200))}`);
  }
  return bytes;
}

/** The fields of one header that vary; `size` is that of the data. */
export interface CpioHeader {
  name: string;
  inode: number;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  mtime: number;
  size: number;
  major?: number;
  minor?: number;
}

function encodeHeader(header: CpioHeader): Uint8Array {
  const name = Buffer.from(header.name);
  const {inode, mode, uid, gid, links, mtime, size, major = 0, minor = 0} = header;
  const fields = [inode, mode, uid, gid, links, mtime, size, 0, 0, major, minor, name.length + 1, 0];
  let text = MAGIC;
  for (const field of fields) {
    if (!Number.isInteger(field) || field < 0 || field > MAX_U32) {
      throw new CpioError('out-of-range', `${header.name}: ${field} does not fit a field of 32 bits`);
    }
    text += field.toString(16).padStart(8, '0');
  }
  const bytes = Buffer.alloc(align4(HEADER_BYTES + name.length + 1));
  bytes.write(text, 'latin1');
  name.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Throws CpioError 'bad-path' for a path that is not in its one normal form. */
export function checkPath(path: string, kind: CpioEntry['kind']): void {
  if (path === '.' && kind === 'directory') return;
  const isPlain = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isPlain || path === TRAILER || UNFIT.test(path) || Buffer.byteLength(path) >= MAX_PATH_BYTES) {
    throw new CpioError('bad-path', `${JSON.stringify(path.slice(0, 200))} cannot be a path in the archive`);
  }
}

/** newc pads names and data to four bytes from the start of the archive. */
export function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

/** Files: written so that a reader sees the old or the new content and nothing between, hashed, copied sparsely. */
import {createHash, randomBytes} from 'node:crypto';
import {createReadStream, type Dirent} from 'node:fs';
import {type FileHandle, open, readdir, readlink, rename, rm, stat} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import type {ByteSource} from '../formats/byte-source.ts';
import {exec} from './exec.ts';

/** Replaces a file by write, fsync, rename and fsync of the directory: after a power cut it is the old or the new. */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, {force: true});
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes the entries of a directory (a rename, a new file) durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** SHA-256 of a file's content, hex. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, {
    highWaterMark: 1 << 20,
    ...(signal === undefined ? {} : {signal}),
  })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

export interface TreeEntry {
  /** Relative to the walked directory, with `/`. */
  path: string;
  kind: 'file' | 'directory' | 'symlink' | 'other';
}

/** Every entry below a directory, sorted by path bytes; a directory comes before what it holds. */
export async function walkTree(root: string): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  async function visit(relative: string): Promise<void> {
    const entries = await readdir(join(root, relative), {withFileTypes: true});
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      found.push({path, kind: entryKind(entry)});
      if (entry.isDirectory()) await visit(path);
    }
  }
  await visit('');
  return found;
}

function entryKind(entry: Dirent): TreeEntry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

/** A hash of each file below a directory: content, kind and whether it is executable; for build inputs. */
export async function fingerprintTree(root: string): Promise<Record<string, string>> {
  const prints: Record<string, string> = {};
  for (const {path, kind} of await walkTree(root)) {
    const full = join(root, path);
    if (kind === 'symlink') prints[path] = `symlink:${await readlink(full)}`;
    else if (kind === 'file') {
      const isExecutable = ((await stat(full)).mode & 0o100) !== 0;
      prints[path] = `${isExecutable ? 'x' : 'f'}:${await sha256File(full)}`;
    } else prints[path] = kind;
  }
  return prints;
}

/** Copies a file keeping its holes, sharing blocks where the file system can. */
export async function copySparse(from: string, to: string): Promise<void> {
  await exec(['cp', '--sparse=always', '--reflink=auto', '--', from, to]);
}

/** Opens a file for the length of one call. */
export async function withFile<T>(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Opens a file for reading by place, for the length of one call. */
export async function withByteSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  return withFile(path, 'r', async (file) => use({bytes: (await file.stat()).size, readAt: readerOf(file)}));
}

/** Reads by place; fewer bytes than asked for only at the end of the file. */
export function readerOf(file: FileHandle): ByteSource['readAt'] {
  return async (offset, length, into) => {
    const buffer = into ?? new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const {bytesRead} = await file.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
}

export async function pathExists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * A file that appears under its name only when all of it is written and on the medium: for results too large for
 * memory, which writeFileAtomic wants.
 */
import {randomBytes} from 'node:crypto';
import {type FileHandle, open, rename, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {syncDirectory} from './files.ts';

/**
 * `write` fills the file under a temporary name beside `path`; `check` may read it there and throw, and then nothing
 * appears. Returns what `write` returned.
 */
export async function writeNewFile<T>(
  path: string,
  write: (file: FileHandle) => Promise<T>,
  check: (temporary: string) => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx+');
    let result: T;
    try {
      result = await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await check(temporary);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await rm(temporary, {force: true});
    throw error;
  }
}

/** A file without a name, for what is needed until the end of `use` only; even kill -9 leaves nothing behind. */
export async function withScratchFile<T>(folder: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const path = join(folder, `.scratch.${randomBytes(6).toString('hex')}`);
  const file = await open(path, 'wx+');
  try {
    await rm(path);
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Writes all of `bytes`; the plain call may write a part of them. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const {bytesWritten} = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

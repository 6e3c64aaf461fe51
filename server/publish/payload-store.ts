/**
 * Payloads that were uploaded, each a file named by its SHA-256 in the server's own folder. An upload grows in a file
 * beside them, from any number of requests; it gets its name when all of it is on the disk and hashes to it. So what
 * has a name is whole, and what a killed server or a lost connection left goes on where it stopped.
 *
 * Rejected: payloads in the database, which would hold them in memory, and write each byte twice.
 */
import {mkdir, open, readdir, rename, rm, stat, statfs, utimes} from 'node:fs/promises';
import {join} from 'node:path';
import {syncDirectory} from '../../platform/files.ts';
import {formatBytes} from '../../formats/units.ts';
import {ServerError} from '../errors.ts';
import type {PayloadFile} from '../payload-file.ts';
import {type PayloadHashes, hashPayload} from '../payload-hashes.ts';
import {identityOf} from '../releases.ts';

export interface PayloadStore {
  /** Null when it is not there as a whole. */
  find(sha256: string): Promise<PayloadFile | null>;
  /** How much of it has come; all of it for one that is there. */
  received(sha256: string): Promise<number>;
  /**
   * Adds what follows the first `offset` bytes; gives how much there is now. Throws ServerError 'other-offset' when that
   * is not where it stopped, 'busy', 'too-large', and 'no-room' for a disk that is too full.
   */
  append(sha256: string, piece: Piece): Promise<number>;
  /**
   * Puts a whole upload in its place, after `check` had a look at the file, and lets it stay there for good. Throws
   * ServerError 'incomplete', 'damaged' for other bytes, which are taken away, and what `check` throws.
   */
  settle(sha256: string, bytes: number, check: (path: string) => Promise<unknown>): Promise<SettledPayload>;
  remove(sha256: string): Promise<void>;
  /** Takes away what nobody touched since then: uploads, and payloads that belong to no release; gives their names. */
  sweep(untouchedSince: number, belongs: ReadonlySet<string>): Promise<readonly string[]>;
}

export type SettledPayload = PayloadFile & PayloadHashes;

export interface Piece {
  readonly offset: number;
  /** Of the whole payload. */
  readonly total: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface PayloadStoreOptions {
  readonly dir: string;
  readonly maxBytes: number;
  /** What stays free on the disk, for the database and for whoever else is there. */
  readonly reserveBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const ENDING = '.payload';
const UNFINISHED = '.part';

/** Makes the folder when there is none. */
export async function openPayloadStore({
  dir,
  maxBytes,
  reserveBytes,
  now,
}: PayloadStoreOptions): Promise<PayloadStore> {
  await mkdir(dir, {recursive: true, mode: 0o700});
  const busy = new Set<string>();
  const nameOf = (sha256: string): string => join(dir, `${sha256}${ENDING}`);
  const partOf = (sha256: string): string => join(dir, `${sha256}${UNFINISHED}`);

  async function find(sha256: string): Promise<PayloadFile | null> {
    const path = nameOf(sha256);
    const info = await stat(path).catch(() => null);
    const identity = await identityOf(path);
    if (info === null || identity === null) return null;
    return {path, bytes: info.size, sha256, identity, modifiedAt: Math.floor(info.mtimeMs)};
  }

  async function alone<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    if (busy.has(sha256))
      throw new ServerError('busy', `another request is about ${sha256} at the moment`, {retryable: true});
    busy.add(sha256);
    try {
      return await work();
    } finally {
      busy.delete(sha256);
    }
  }

  async function requireRoom(missing: number): Promise<void> {
    const {bavail, bsize} = await statfs(dir);
    const free = bavail * bsize;
    if (free >= missing + reserveBytes) return;
    throw new ServerError(
      'no-room',
      `there is no room for ${formatBytes(missing)} more: ${formatBytes(free)} are free in ${dir}, and ${formatBytes(reserveBytes)} have to stay so`,
      {hint: 'make room on the disk of the server, for example with caisson release remove', retryable: true},
    );
  }

  async function sizeOf(path: string): Promise<number> {
    return (await stat(path).catch(() => null))?.size ?? 0;
  }

  async function append(sha256: string, {offset, total, chunks}: Piece): Promise<number> {
    if (total > maxBytes)
      throw new ServerError(
        'too-large',
        `a payload of ${formatBytes(total)}; this server takes up to ${formatBytes(maxBytes)}`,
      );
    const part = partOf(sha256);
    const before = await sizeOf(part);
    if (before !== offset)
      throw new ServerError('other-offset', `${before} bytes of ${sha256} have come, not ${offset}`, {
        retryable: true,
      });
    await requireRoom(total - offset);
    const file = await open(part, 'a', 0o600);
    let size = before;
    try {
      for await (const chunk of chunks) {
        if (size + chunk.length > total)
          throw new ServerError('too-large', `more than the ${total} bytes that were announced`);
        await file.appendFile(chunk);
        size += chunk.length;
      }
    } catch (error) {
      if ((error as {code?: unknown}).code !== 'ENOSPC') throw error;
      // Room is what everybody needs now, the database first.
      await rm(part, {force: true});
      throw new ServerError(
        'no-room',
        `the disk was full after ${formatBytes(size)} of ${formatBytes(total)}`,
        {
          cause: error,
          hint: 'make room on the disk of the server, for example with caisson release remove',
        },
      );
    } finally {
      await file.close();
    }
    return size;
  }

  async function settle(
    sha256: string,
    bytes: number,
    check: (path: string) => Promise<unknown>,
  ): Promise<SettledPayload> {
    const there = await find(sha256);
    if (there !== null) {
      if (there.bytes !== bytes)
        throw new ServerError('untrusted', `payload ${sha256} has ${there.bytes} bytes, not ${bytes}`);
      await check(there.path);
      // It is about to belong to a release, which may take a moment: no sweep takes it meanwhile.
      await utimes(there.path, now() / 1000, now() / 1000);
      return {...((await find(sha256)) ?? there), sha1: (await hashFile(there.path)).sha1};
    }
    const part = partOf(sha256);
    const size = await sizeOf(part);
    if (size < bytes) throw new ServerError('incomplete', `${size} of ${bytes} bytes of ${sha256} have come`);
    const hashes = size > bytes ? null : await hashFile(part);
    if (hashes?.sha256 !== sha256) {
      await rm(part, {force: true});
      const found = hashes?.sha256 ?? `more than ${bytes} bytes`;
      throw new ServerError('damaged', `what came is not ${sha256}, but ${found}; send it again`, {
        retryable: true,
      });
    }
    // When it fails the upload stays for a while: with another key given to the server it may pass.
    await check(part);
    const file = await open(part, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, nameOf(sha256));
    await syncDirectory(dir);
    const settled = await find(sha256);
    if (settled === null) throw new Error(`${nameOf(sha256)} is gone`);
    return {...settled, sha1: hashes.sha1};
  }

  return {
    find,
    received: async (sha256) => (await find(sha256))?.bytes ?? sizeOf(partOf(sha256)),
    append: (sha256, piece) => alone(sha256, () => append(sha256, piece)),
    settle: (sha256, bytes, check) => alone(sha256, () => settle(sha256, bytes, check)),
    async remove(sha256) {
      await rm(nameOf(sha256), {force: true});
      await syncDirectory(dir);
    },
    async sweep(untouchedSince, belongs) {
      const swept: string[] = [];
      for (const name of await readdir(dir)) {
        const sha256 = name.replace(/\.(part|payload)$/, '');
        if (sha256 === name || busy.has(sha256)) continue;
        if (name.endsWith(ENDING) && belongs.has(sha256)) continue;
        await alone(sha256, async () => {
          const info = await stat(join(dir, name)).catch(() => null);
          if (info === null || info.mtimeMs >= untouchedSince) return;
          await rm(join(dir, name), {force: true});
          swept.push(name);
        });
      }
      return swept;
    },
  };
}

async function hashFile(path: string): Promise<PayloadHashes> {
  const file = await open(path);
  try {
    return await hashPayload(file);
  } finally {
    await file.close();
  }
}

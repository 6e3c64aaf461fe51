/**
 * A partition to be written: a block device of this host, or a region of an image file.
 *
 * A block device is opened for writing with O_EXCL, which the kernel refuses while anybody has it mounted or mapped
 * (open(2)); without it two writers would share a slot unseen. `settle` drops what the page cache holds, so that
 * reading back reads the medium and not what was just written. It asks dd for posix_fadvise(DONTNEED), because Node
 * has no call for it; BLKFLSBUF (`blockdev --flushbufs`) does the same, but wants CAP_SYS_ADMIN.
 */
import {constants, type FileHandle, open, readFile} from 'node:fs/promises';
import type {ByteSource} from '../../formats/byte-source.ts';
import {exec} from '../../platform/exec.ts';
import {readerOf} from '../../platform/files.ts';
import {namingErrors} from '../../platform/io-error.ts';
import {SlotError} from './errors.ts';
import {holdersOf} from './holders.ts';

/** All offsets are bytes from the start of the target. */
export interface Target {
  /** How many there is room for. */
  readonly bytes: number;
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** As a ByteSource reads. */
  readAt(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Resolves when everything written before is on stable storage. */
  flush(): Promise<void>;
  /** Flushes and forgets caches, so that the next read comes from the medium. */
  settle(): Promise<void>;
}

export type TargetMode = 'read' | 'write';

export interface TargetPlace {
  path: string;
  /** A region of an image file; a device of its own when left out. */
  region?: {offset: number; bytes: number};
  /** Bytes of a device, which its own stat does not know. */
  bytes?: number;
}

const DROP_TIMEOUT_MS = 60_000;

/** Opens a target for the length of one call. Throws SlotError 'busy', or an error of the operating system. */
export async function withTarget<T>(
  place: TargetPlace,
  mode: TargetMode,
  use: (target: Target) => Promise<T>,
): Promise<T> {
  const file = await openFile(place, mode);
  try {
    return await use(await targetOf(file, place));
  } finally {
    await file.close();
  }
}

async function openFile({path, region}: TargetPlace, mode: TargetMode): Promise<FileHandle> {
  const isAlone = mode === 'write' && region === undefined;
  const flags = (mode === 'write' ? constants.O_RDWR : constants.O_RDONLY) | (isAlone ? constants.O_EXCL : 0);
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    const holders = await holdersOf(path);
    throw new SlotError('busy', `${path} is in use${holders.length === 0 ? '' : `: ${holders.join(', ')}`}`, {
      cause: error,
      retryable: true,
      hint: holders.length === 0 ? 'find its user with lsof or dmsetup' : `unmount it: umount ${path}`,
    });
  }
}

async function targetOf(file: FileHandle, place: TargetPlace): Promise<Target> {
  const {offset: start, bytes} = place.region ?? {offset: 0, bytes: place.bytes ?? (await file.stat()).size};
  const read = readerOf(file);
  const requireInside = (offset: number, length: number): void => {
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= bytes) return;
    throw new SlotError(
      'out-of-bounds',
      `bytes ${offset} to ${offset + length} of ${place.path} do not exist; it has ${bytes}`,
    );
  };
  const flush = (): Promise<void> => namingErrors(`flush ${place.path}`, () => file.sync());
  const write = async (offset: number, data: Uint8Array): Promise<void> => {
    for (let done = 0; done < data.length;) {
      const {bytesWritten} = await file.write(data, done, data.length - done, start + offset + done);
      done += bytesWritten;
    }
  };
  return {
    bytes,
    async writeAt(offset, data) {
      requireInside(offset, data.length);
      await namingErrors(`write to ${place.path} at byte ${start + offset}`, () => write(offset, data));
    },
    readAt: (offset, length, into) => {
      const wanted = Math.min(length, bytes - offset);
      if (wanted <= 0) return Promise.resolve(new Uint8Array());
      return namingErrors(`read ${place.path} at byte ${start + offset}`, () =>
        read(start + offset, wanted, into),
      );
    },
    flush,
    async settle() {
      await flush();
      await exec(['dd', `if=${place.path}`, 'iflag=nocache', 'count=0', 'status=none'], {
        timeoutMs: DROP_TIMEOUT_MS,
      });
    },
  };
}

/** A target on which `prepare` runs before the first write: nothing changes for one that is never written. */
export function preparedTarget(target: Target, prepare: () => Promise<void>): Target {
  let prepared: Promise<void> | undefined;
  return {
    bytes: target.bytes,
    readAt: (offset, length, into) => target.readAt(offset, length, into),
    flush: () => target.flush(),
    settle: () => target.settle(),
    async writeAt(offset, bytes) {
      prepared ??= prepare();
      await prepared.catch((error: unknown) => {
        prepared = undefined;
        throw error;
      });
      await target.writeAt(offset, bytes);
    },
  };
}

/** Reading alone. */
export function sourceOfTarget(target: Target): ByteSource {
  return {bytes: target.bytes, readAt: (offset, length, into) => target.readAt(offset, length, into)};
}

/** Bytes of a block device as the kernel counts them in sysfs: always sectors of 512. */
export async function readDeviceBytes(folder: string): Promise<number> {
  return Number((await readFile(`${folder}/size`, 'utf8')).trim()) * 512;
}

/**
 * The disk to be installed: a whole block device, or an image file that has its final size.
 *
 * A block device is opened with O_EXCL, which the kernel refuses while anybody has it or a partition of it mounted or
 * mapped (open(2)): what we found to be free may have been taken since. Areas that must be zero are left to the kernel
 * (BLKZEROOUT by `blkdiscard --zeroout`), which has disks do it that can, and always ends with zeros that are really
 * read as such; a plain discard promises nothing of the kind.
 */
import {constants, type FileHandle, open} from 'node:fs/promises';
import {checkSectorSize, type SectorSize} from '../../formats/gpt/types.ts';
import {ExecError, exec} from '../../platform/exec.ts';
import {readerOf} from '../../platform/files.ts';
import type {GptDisk} from '../../platform/gpt-disk.ts';
import {namingErrors} from '../../platform/io-error.ts';
import {writeAll} from '../../platform/new-file.ts';
import {InstallerError} from './errors.ts';

/** Offsets are bytes from the start of the disk. */
export interface InstallDisk extends GptDisk {
  readonly path: string;
  readonly bytes: number;
  /** Reads as zeros afterwards, as after a write. */
  zero(offset: number, bytes: number): Promise<void>;
  /** Flushes and forgets caches, so that the next read comes from the medium. */
  settle(): Promise<void>;
}

export interface OpenDiskOptions {
  path: string;
  /** Of a block device; null for a file, whose stat knows. */
  bytes: number | null;
  sectorSize: number;
  /** Also when somebody uses it. */
  force: boolean;
  signal: AbortSignal;
}

const CHUNK_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(CHUNK_BYTES);
/** Below this a write is faster than another program. */
const MIN_ZERO_OUT_BYTES = 8 << 20;
const TOOL_TIMEOUT_MS = 60_000;

/** Opens the disk for the length of one call. Throws InstallerError 'refused' when somebody has it. */
export async function withInstallDisk<T>(
  options: OpenDiskOptions,
  use: (disk: InstallDisk) => Promise<T>,
): Promise<T> {
  const {path, signal} = options;
  const file = await openDisk(options);
  try {
    const bytes = options.bytes ?? (await file.stat()).size;
    const sectorSize = checkSectorSize(options.sectorSize);
    return await use(diskOf(file, {path, bytes, sectorSize, isDevice: options.bytes !== null, signal}));
  } finally {
    await file.close();
  }
}

async function openDisk({path, bytes, force}: OpenDiskOptions): Promise<FileHandle> {
  const exclusive = bytes === null || force ? 0 : constants.O_EXCL;
  try {
    return await open(path, constants.O_RDWR | exclusive);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    throw new InstallerError('refused', `${path} is in use: the kernel does not give it to us alone`, {
      cause: error,
      hint: 'unmount what is on it; with --force it is overwritten all the same',
    });
  }
}

function diskOf(
  file: FileHandle,
  {
    path,
    bytes,
    sectorSize,
    isDevice,
    signal,
  }: {path: string; bytes: number; sectorSize: SectorSize; isDevice: boolean; signal: AbortSignal},
): InstallDisk {
  const read = readerOf(file);
  const writeAt = (offset: number, data: Uint8Array): Promise<void> =>
    namingErrors(`write to ${path} at byte ${offset}`, () => writeAll(file, data, offset));
  const flush = (): Promise<void> => namingErrors(`flush ${path}`, () => file.datasync());

  async function zeroOut(offset: number, length: number): Promise<boolean> {
    if (!isDevice || length < MIN_ZERO_OUT_BYTES) return false;
    try {
      await flush();
      const place = ['--offset', String(offset), '--length', String(length)];
      // It would ask for the device alone, which we have.
      await exec(['blkdiscard', '--force', '--zeroout', ...place, path], {signal});
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ExecError)) throw error;
      // An old tool, or none: then the zeros are written.
      return false;
    }
  }

  /** In an image file holes stay holes; on a device old data has to go. */
  async function writeZeros(offset: number, length: number): Promise<void> {
    for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
      signal.throwIfAborted();
      const zeros = ZEROS.subarray(0, Math.min(CHUNK_BYTES, offset + length - at));
      if (!isDevice && zeros.equals(await read(at, zeros.length))) continue;
      await writeAt(at, zeros);
    }
  }

  return {
    path,
    bytes,
    sectorSize,
    diskSectors: BigInt(Math.floor(bytes / sectorSize)),
    readAt: (offset, length) => namingErrors(`read ${path} at byte ${offset}`, () => read(offset, length)),
    writeAt,
    flush,
    async zero(offset, length) {
      if (!(await zeroOut(offset, length))) await writeZeros(offset, length);
    },
    async settle() {
      await flush();
      // posix_fadvise(DONTNEED), for which Node has no call.
      await exec(['dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none'], {
        timeoutMs: TOOL_TIMEOUT_MS,
      });
    },
  };
}

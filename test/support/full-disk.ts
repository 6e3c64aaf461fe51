/** A file that takes what room a file system has left. */
import {type FileHandle, open} from 'node:fs/promises';

export interface Filling {
  /** All that is free, or what leaves `leaveBytes` of it. */
  fill(leaveBytes?: number): Promise<void>;
  empty(): Promise<void>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 1 << 20;
const SMALL_BYTES = 4096;

/** `path` is in the file system. */
export async function openFilling(path: string): Promise<Filling> {
  const file = await open(path, 'w');
  return {
    async fill(leaveBytes = 0) {
      for (const bytes of [CHUNK_BYTES, SMALL_BYTES]) while (await fits(file, bytes));
      const {size} = await file.stat();
      await file.truncate(Math.max(0, size - leaveBytes));
    },
    empty: () => file.truncate(0),
    close: () => file.close(),
  };
}

async function fits(file: FileHandle, bytes: number): Promise<boolean> {
  const {size} = await file.stat();
  return file.write(Buffer.alloc(bytes), 0, bytes, size).then(
    ({bytesWritten}) => bytesWritten === bytes,
    () => false,
  );
}

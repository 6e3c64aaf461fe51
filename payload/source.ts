/**
 * A partition as it will be on the host, read from a file: its bytes, and zeros up to a whole block.
 *
 * Reads go into buffers of the caller, unlike those of a ByteSource: a gigabyte in fresh buffers is freed so late that
 * the process grows by a hundred megabytes.
 */
import type {FileHandle} from 'node:fs/promises';
import {BLOCK_BYTES} from '../formats/payload/types.ts';
import {withFile} from '../platform/files.ts';
import {MakePayloadError} from './errors.ts';

export interface PartitionSource {
  readonly path: string;
  readonly fileBytes: number;
  /** Of the partition: whole blocks. */
  readonly bytes: number;
  /** Fills all of `target`. Throws MakePayloadError 'bad-release' when the file has become shorter. */
  readInto(target: Buffer, offset: number): Promise<void>;
}

export async function withPartitionSource<T>(
  path: string,
  use: (source: PartitionSource) => Promise<T>,
): Promise<T> {
  return withFile(path, 'r', async (file) => use(partitionSource(file, path, (await file.stat()).size)));
}

function partitionSource(file: FileHandle, path: string, fileBytes: number): PartitionSource {
  const bytes = Math.ceil(fileBytes / BLOCK_BYTES) * BLOCK_BYTES;
  return {
    path,
    fileBytes,
    bytes,
    async readInto(target, offset) {
      const wanted = Math.max(0, Math.min(target.length, fileBytes - offset));
      for (let done = 0; done < wanted;) {
        const {bytesRead} = await file.read(target, done, wanted - done, offset + done);
        if (bytesRead === 0)
          throw new MakePayloadError('bad-release', `${path} ends at byte ${offset + done} of ${fileBytes}`);
        done += bytesRead;
      }
      target.fill(0, wanted);
    },
  };
}

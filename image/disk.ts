/** The disk image: a table and its partitions in one sparse file. */
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {type FileHandle, stat} from 'node:fs/promises';
import {CodedError} from '../formats/errors.ts';
import type {SectorSize} from '../formats/gpt/types.ts';
import {withFile} from '../platform/files.ts';
import {createGpt} from '../platform/gpt-disk.ts';
import {
  type DiskIdentity,
  type PartitionName,
  freshTable,
  imageBytes,
  placePartitions,
} from '../formats/disk-layout.ts';

export class DiskError extends CodedError<'does-not-fit'> {}

export interface DiskOptions {
  out: string;
  identity: DiskIdentity;
  sectorSize: SectorSize;
  /** The files that fill partitions; the others stay empty. */
  contents: Partial<Record<PartitionName, string>>;
  signal: AbortSignal;
  onBytes: (done: number) => void;
}

const CHUNK_BYTES = 1 << 20;

export async function assembleDisk({
  out,
  identity,
  sectorSize,
  contents,
  signal,
  onBytes,
}: DiskOptions): Promise<void> {
  await withFile(out, 'w', async (disk) => {
    await disk.truncate(imageBytes());
    let done = 0;
    for (const {name, label, offset, bytes} of placePartitions()) {
      const file = contents[name];
      if (file === undefined) continue;
      const length = (await stat(file)).size;
      if (length > bytes)
        throw new DiskError('does-not-fit', `${file} has ${length} bytes, partition ${label} only ${bytes}`);
      await copyWithHoles(file, disk, offset, signal, (count) => onBytes((done += count)));
    }
    await disk.sync();
  });
  // The table last: what has none is not a disk that half looks bootable.
  await createGpt(
    out,
    freshTable(identity, sectorSize, (text) => createHash('sha256').update(text).digest('hex')),
  );
}

async function copyWithHoles(
  from: string,
  to: FileHandle,
  offset: number,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  const zeros = Buffer.alloc(CHUNK_BYTES);
  let at = offset;
  for await (const chunk of createReadStream(from, {highWaterMark: CHUNK_BYTES, signal})) {
    const data = chunk as Buffer;
    if (!data.equals(zeros.subarray(0, data.length))) await to.write(data, 0, data.length, at);
    at += data.length;
    onBytes(data.length);
  }
}

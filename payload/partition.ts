/** The second pass over a partition: its chunks as operations, their blobs appended to a file. */
import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {countBlocks} from '../formats/payload/coverage.ts';
import {BLOCK_BYTES, type HashTree, type Operation} from '../formats/payload/types.ts';
import {writeAll} from '../platform/new-file.ts';
import {CHUNK_BYTES, type Chunk, planChunks} from './chunks.ts';
import {type Compressed, type Effort, compressChunk} from './compress.ts';
import {mapInOrder} from './ordered.ts';
import type {Scan} from './scan.ts';
import type {PartitionSource} from './source.ts';

export interface EncodeOptions {
  scan: Scan;
  hashTree: HashTree | null;
  /** Where the first blob goes, in bytes; later ones follow without a gap. */
  blobsOffset: number;
  blobs: FileHandle;
  jobs: number;
  effort: Effort;
  signal: AbortSignal;
  /** Bytes of the partition that are done. */
  onBytes: (count: number) => void;
}

/**
 * A chunk and its compressed forms take some 5 MiB here, and the command itself 140 MiB of the 200 that it may have. The
 * memory of the compressors, some 50 MiB each, is theirs.
 */
const MAX_JOBS = 8;

/** The operations of a whole partition, and where its last blob ends.  */
export async function encodePartition(
  source: PartitionSource,
  options: EncodeOptions,
): Promise<{operations: Operation[]; blobsEnd: number}> {
  const {scan, hashTree, blobs, onBytes} = options;
  const chunks = planChunks(source.bytes / BLOCK_BYTES, scan.zeros, hashTree?.tree ?? null);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const buffers: Buffer[] = [];
  const encode = async (chunk: Chunk): Promise<Encoded> => {
    signal.throwIfAborted();
    if (chunk.kind === 'zero') return {chunk, buffer: null, compressed: null};
    const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const data = await readChunk(source, chunk, buffer);
    return {chunk, buffer, compressed: await compressChunk(data, options.effort, signal)};
  };
  const operations: Operation[] = [];
  let end = options.blobsOffset;
  const width = Math.max(1, Math.min(options.jobs, MAX_JOBS)) + 1;
  try {
    for await (const {chunk, buffer, compressed} of mapInOrder(chunks, width, encode)) {
      const common = {srcExtents: [], srcSha256: null, dstExtents: chunk.extents};
      if (compressed === null) operations.push({type: 'ZERO', data: null, ...common});
      else {
        const {type, bytes} = compressed;
        const sha256 = Uint8Array.from(createHash('sha256').update(bytes).digest());
        operations.push({type, data: {offset: end, bytes: bytes.length, sha256}, ...common});
        await writeAll(blobs, bytes, end);
        end += bytes.length;
        buffers.push(buffer);
      }
      onBytes(countBlocks(chunk.extents) * BLOCK_BYTES);
    }
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  return {operations, blobsEnd: end};
}

/** The buffer holds the chunk, and may be what `compressed` is made of: it is free once that is written. */
type Encoded =
  {chunk: Chunk; buffer: Buffer; compressed: Compressed} | {chunk: Chunk; buffer: null; compressed: null};

async function readChunk(source: PartitionSource, {extents}: Chunk, buffer: Buffer): Promise<Buffer> {
  let filled = 0;
  for (const {startBlock, blocks} of extents) {
    const bytes = blocks * BLOCK_BYTES;
    await source.readInto(buffer.subarray(filled, filled + bytes), startBlock * BLOCK_BYTES);
    filled += bytes;
  }
  return buffer.subarray(0, filled);
}

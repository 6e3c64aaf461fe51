/** The second pass over a partition: its chunks as operations, their blobs appended to a file. */
import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {type ByteSource, readExactly} from '../formats/byte-source.ts';
import {countBlocks} from '../formats/payload/coverage.ts';
import {BLOCK_BYTES, type Extent, type HashTree, type Operation} from '../formats/payload/types.ts';
import {writeAll} from '../platform/new-file.ts';
import {type Chunk, planChunks} from './chunks.ts';
import {type Compressed, compressChunk} from './compress.ts';
import {mapInOrder} from './ordered.ts';
import type {Scan} from './scan.ts';

export interface EncodeOptions {
  what: string;
  scan: Scan;
  hashTree: HashTree | null;
  /** Where the first blob goes, in bytes; later ones follow without a gap. */
  blobsOffset: number;
  blobs: FileHandle;
  jobs: number;
  signal: AbortSignal;
  /** Bytes of the partition that are done. */
  onBytes: (count: number) => void;
}

/**
 * A chunk and its compressed forms take at most 12 MiB here; this many beside Node's own 90 MiB stay below 200. The
 * compressors' memory is theirs: some 50 MiB each.
 */
const MAX_JOBS = 8;

/** The operations of a whole partition, and where its last blob ends. `source` has whole blocks. */
export async function encodePartition(
  source: ByteSource,
  options: EncodeOptions,
): Promise<{operations: Operation[]; blobsEnd: number}> {
  const {scan, hashTree, blobs, onBytes} = options;
  const chunks = planChunks(source.bytes / BLOCK_BYTES, scan.zeros, hashTree?.tree ?? null);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const operations: Operation[] = [];
  let end = options.blobsOffset;
  try {
    const encode = (chunk: Chunk): Promise<Compressed | null> =>
      encodeChunk(source, chunk, options.what, signal);
    const width = Math.max(1, Math.min(options.jobs, MAX_JOBS)) + 1;
    let index = 0;
    for await (const compressed of mapInOrder(chunks, width, encode)) {
      const dstExtents = chunks[index]?.extents ?? [];
      index += 1;
      const source = {srcExtents: [], srcSha256: null};
      if (compressed === null) operations.push({type: 'ZERO', data: null, ...source, dstExtents});
      else {
        const {type, bytes} = compressed;
        const sha256 = Uint8Array.from(createHash('sha256').update(bytes).digest());
        operations.push({type, data: {offset: end, bytes: bytes.length, sha256}, ...source, dstExtents});
        await writeAll(blobs, bytes, end);
        end += bytes.length;
      }
      onBytes(countBlocks(dstExtents) * BLOCK_BYTES);
    }
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  return {operations, blobsEnd: end};
}

async function encodeChunk(
  source: ByteSource,
  {kind, extents}: Chunk,
  what: string,
  signal: AbortSignal,
): Promise<Compressed | null> {
  signal.throwIfAborted();
  if (kind === 'zero') return null;
  return compressChunk(await readExtents(source, extents, what), signal);
}

async function readExtents(
  source: ByteSource,
  extents: readonly Extent[],
  what: string,
): Promise<Uint8Array> {
  const parts = await Promise.all(
    extents.map(({startBlock, blocks}) =>
      readExactly(source, startBlock * BLOCK_BYTES, blocks * BLOCK_BYTES, what),
    ),
  );
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

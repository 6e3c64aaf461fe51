/**
 * Applies a payload while it comes in: every byte is hashed against the signed manifest before it is used, and nothing
 * is written before the manifest's own signature was checked.
 *
 * INVARIANTS
 * - Operations begin in the order of their blobs and may end in another, because their blocks are disjoint.
 * - Progress is saved only up to where every operation has ended, after a flush: what it counts is on the medium.
 * - When this returns or throws, no operation is under way any more and no program runs.
 *
 * The caller reads the partitions back afterwards (`checkPartitions`, or the slot's own check): what was written in an
 * earlier run is not looked at here.
 */
import {createHash, type KeyObject} from 'node:crypto';
import type {ByteSource} from '../../formats/byte-source.ts';
import {decodeSignatures, verifyDigest} from '../../formats/payload/signatures.ts';
import {type Manifest, type Operation, PayloadError} from '../../formats/payload/types.ts';
import type {Target} from '../slots/target.ts';
import {ByteQueue} from './byte-queue.ts';
import type {Decompress} from './decompress.ts';
import {writeHashTree} from './hash-tree.ts';
import {type TrustedMetadata, readTrustedMetadata} from './metadata.ts';
import {runOperation} from './operation.ts';
import {Pipeline} from './pipeline.ts';
import type {ProgressKeeper} from './progress.ts';
import {type Hashes, beginHashes, resumeHashes} from './hashes.ts';

export interface ApplyOptions {
  /** The payload's bytes from `offset` on. */
  open: (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  keys: readonly KeyObject[];
  /** Throws to refuse the payload; nothing was written then. */
  accept: (manifest: Manifest) => void;
  /** By partition name; every partition of the manifest needs one with room for it. */
  targets: Readonly<Record<string, Target>>;
  /** The old partitions, for deltas. */
  sources?: Readonly<Record<string, ByteSource>>;
  progress: ProgressKeeper;
  /** Of the whole file, when somebody said. */
  expected?: {bytes: number; sha256: Uint8Array};
  onProgress: (done: {bytes: number; totalBytes: number}) => void;
  decompress: Decompress;
  signal: AbortSignal;
}

export interface AppliedPayload {
  manifest: Manifest;
  /** SHA-256 of header and manifest, hex. */
  metadataSha256: string;
}

interface Job {
  operation: Operation;
  partition: string;
  what: string;
}

/**
 * Throws PayloadError, what `accept` throws, and what stream, targets, sources and progress throw; the progress so far
 * was saved then, unless the payload itself is bad as a whole.
 */
export async function applyPayload(options: ApplyOptions): Promise<AppliedPayload> {
  const {open, signal, expected, targets, sources = {}, progress} = options;
  const broken = new AbortController();
  const stop = AbortSignal.any([signal, broken.signal]);
  let queue = new ByteQueue(open(0, stop));
  try {
    const metadata = await readTrustedMetadata(queue, options.keys);
    const {manifest, layout} = metadata;
    requireLength(layout.totalBytes, expected?.bytes);
    options.accept(manifest);
    requireRoom(manifest, targets);
    const jobs = listJobs(manifest);
    const {hashes, nextOperation, nextDataOffset} = await resumeHashes(metadata, progress, jobs.length);
    if (nextDataOffset > 0) {
      await queue.close();
      queue = new ByteQueue(open(layout.blobsOffset + nextDataOffset, stop));
    }
    const pipeline = new Pipeline({
      flush: () => flushAll(manifest, targets),
      save: (point) =>
        progress.save({format: 'caisson-progress-1', metadataSha256: metadata.sha256, ...point}),
      signal,
    });
    let dataOffset = nextDataOffset;
    try {
      for (const [index, {operation, partition, what}] of jobs.entries()) {
        if (index < nextOperation) continue;
        await pipeline.makeRoom(operation);
        const blob = await takeBlob(queue, operation, what, hashes);
        dataOffset += blob?.length ?? 0;
        const point = {nextOperation: index + 1, nextDataOffset: dataOffset, ...hashes.save()};
        const target = targets[partition] as Target;
        const context = {target, source: sources[partition] ?? null, decompress: options.decompress};
        pipeline.add(operation, point, runOperation(operation, blob, {...context, signal: stop, what}));
        options.onProgress({bytes: layout.blobsOffset + dataOffset, totalBytes: layout.totalBytes});
      }
      await pipeline.drain();
    } catch (error) {
      broken.abort(error);
      await pipeline.giveUp();
      throw error;
    }
    await finish(queue, metadata, hashes, options);
    for (const {name, hashTree} of manifest.partitions)
      if (hashTree !== null) await writeHashTree(targets[name] as Target, hashTree, signal);
    await flushAll(manifest, targets);
    return {manifest, metadataSha256: metadata.sha256};
  } finally {
    broken.abort();
    await queue.close().catch(() => undefined);
  }
}

/** The payload signature, the hash of the file and its end. A payload that fails here is not to be resumed. */
async function finish(
  queue: ByteQueue,
  metadata: TrustedMetadata,
  hashes: Hashes,
  {keys, expected, progress, onProgress}: ApplyOptions,
): Promise<void> {
  const {manifest, layout} = metadata;
  const signatures = await queue.take(manifest.signaturesBytes, 'its signatures');
  hashes.addToFile(signatures);
  try {
    if (!(await queue.isAtEnd()))
      throw new PayloadError('bad-data', `the payload goes on after its ${layout.totalBytes} bytes`);
    const {signed, file} = hashes.finish();
    verifyDigest(signed, decodeSignatures(signatures), keys);
    if (expected !== undefined && !file.equals(expected.sha256))
      throw new PayloadError(
        'wrong-hash',
        `the payload has SHA-256 ${file.toString('hex')}, expected ${Buffer.from(expected.sha256).toString('hex')}`,
      );
  } catch (error) {
    const anew = await beginHashes(metadata);
    await progress.save({
      format: 'caisson-progress-1',
      metadataSha256: metadata.sha256,
      nextOperation: 0,
      nextDataOffset: 0,
      ...anew.save(),
    });
    throw error;
  }
  onProgress({bytes: layout.totalBytes, totalBytes: layout.totalBytes});
}

async function takeBlob(
  queue: ByteQueue,
  {data}: Operation,
  what: string,
  hashes: Hashes,
): Promise<Uint8Array | null> {
  if (data === null) return null;
  const blob = await queue.take(data.bytes, what);
  const digest = createHash('sha256').update(blob).digest();
  if (!digest.equals(data.sha256))
    throw new PayloadError(
      'wrong-hash',
      `${what}: its data has SHA-256 ${digest.toString('hex')}, not ${Buffer.from(data.sha256).toString('hex')}`,
      {retryable: true},
    );
  hashes.add(blob);
  return blob;
}

function listJobs({partitions}: Manifest): Job[] {
  return partitions.flatMap(({name, operations}) =>
    operations.map((operation, index) => ({
      operation,
      partition: name,
      what: `${name}, operation ${index} (${operation.type})`,
    })),
  );
}

function requireLength(bytes: number, expected: number | undefined): void {
  if (expected === undefined || bytes === expected) return;
  throw new PayloadError('truncated', `by its manifest the payload has ${bytes} bytes, expected ${expected}`);
}

function requireRoom({partitions}: Manifest, targets: Readonly<Record<string, Target>>): void {
  for (const {name, newInfo} of partitions) {
    const target = targets[name];
    if (target === undefined)
      throw new PayloadError('unsupported', `partition ${name}: there is nothing here to write it to`);
    if (newInfo.bytes > target.bytes)
      throw new PayloadError(
        'unsupported',
        `partition ${name} has ${newInfo.bytes} bytes, room is for ${target.bytes}`,
      );
  }
}

async function flushAll({partitions}: Manifest, targets: Readonly<Record<string, Target>>): Promise<void> {
  for (const {name} of partitions) await targets[name]?.flush();
}

/**
 * The middle of a payload, from a mark to its end: blobs come in one after the other, are checked, and several are
 * unpacked at once, since their destinations do not overlap. Here the stream, the processes and the disk meet:
 *
 * - Blobs in memory never exceed the largest single one that is allowed, and there are never more than WIDTH.
 * - When the stream breaks off, what was received is still finished and saved before the error leaves.
 * - When an operation fails or the caller gives up, the others are stopped, and waited for, before the error leaves.
 */
import {createHash} from 'node:crypto';
import {setMaxListeners} from 'node:events';
import {MAX_BLOB_BYTES} from '../../formats/payload/limits.ts';
import {decodeSignatures, verifyDigest} from '../../formats/payload/signatures.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {MIB} from '../../formats/units.ts';
import {XzPool} from '../../platform/xz-pool.ts';
import type {ByteReader} from './byte-reader.ts';
import {Checkpoints} from './checkpoints.ts';
import {HashTreeWriter} from './hash-tree.ts';
import type {PayloadHead} from './head.ts';
import {applyOperation} from './operation.ts';
import type {ApplyOptions} from './options.ts';
import type {Plan, PlannedOperation, PlannedPartition} from './plan.ts';
import {encodeProgress} from './progress.ts';
import {type Mark, type StreamHashes, hashesAt} from './stream-hashes.ts';
import {SuspectError} from './suspect.ts';

/** Two processors unpack while a third blob is ready; docs/payload.md has the figures. */
const WIDTH = 3;
const SAVE_BYTES = 32 * MIB;
const SAVE_MS = 5_000;

export interface RunParts {
  head: PayloadHead;
  plan: Plan;
  options: ApplyOptions;
  /** Opens the stream at this offset of the payload. */
  openReader: (offset: number, signal: AbortSignal) => ByteReader;
}

/** Throws PayloadError, what the stream throws, errors of targets and machine, and the signal's reason. */
export async function runOperations(parts: RunParts, mark: Mark): Promise<void> {
  const run = new Run(parts, mark, await hashesAt(mark));
  await run.execute();
}

class Run {
  readonly #parts: RunParts;
  readonly #start: Mark;
  readonly #hashes: StreamHashes;
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #xzPool: XzPool;
  readonly #checkpoints: Checkpoints<Mark>;
  readonly #trees = new Map<PlannedPartition, HashTreeWriter>();
  readonly #inFlight = new Set<Promise<void>>();
  #blobBytesInFlight = 0;
  #writtenBytes: number;
  #receivedBytes: number;
  #failure: {error: unknown} | null = null;

  constructor(parts: RunParts, start: Mark, hashes: StreamHashes) {
    this.#parts = parts;
    this.#start = start;
    this.#hashes = hashes;
    const {plan, options, head} = parts;
    this.#signal = AbortSignal.any([options.signal, this.#failed.signal]);
    // Each process in flight listens; that is no leak.
    setMaxListeners(0, this.#signal);
    this.#xzPool = new XzPool(this.#signal);
    this.#receivedBytes = head.layout.blobsOffset + start.nextDataOffset;
    this.#writtenBytes = plan.operations
      .slice(0, start.nextOperation)
      .reduce((sum, {writtenBytes}) => sum + writtenBytes, 0);
    const onFailure = (error: unknown): void => {
      this.#fail(error);
    };
    this.#checkpoints = new Checkpoints({
      flush: () => this.#flush(),
      save: (reached) => options.progress.save(encodeProgress(reached)),
      everyBytes: SAVE_BYTES,
      everyMs: SAVE_MS,
      now: options.now ?? (() => 0),
      onFailure,
    });
    for (const each of plan.partitions) {
      const {partition, target, firstOperation} = each;
      if (partition.hashTree === null) continue;
      const doneOperations = start.nextOperation - firstOperation;
      const treeOptions = {target, signal: this.#signal, doneOperations, onFailure};
      this.#trees.set(each, new HashTreeWriter(partition, partition.hashTree, treeOptions));
    }
  }

  async execute(): Promise<void> {
    const {head, openReader} = this.#parts;
    this.#report();
    const reader = openReader(head.layout.blobsOffset + this.#start.nextDataOffset, this.#signal);
    try {
      try {
        await this.#readOperations(reader);
        await this.#readEnd(reader);
      } finally {
        await Promise.all(this.#inFlight);
      }
      this.#throwFailure();
      for (const tree of this.#trees.values()) await tree.finish();
    } catch (error) {
      if (!this.#failed.signal.aborted) this.#failed.abort(error);
      throw this.#failure?.error ?? error;
    } finally {
      await reader.close();
      await this.#xzPool.close();
      await Promise.all([...this.#trees.values()].map((tree) => tree.stop()));
      await this.#saveLast();
    }
    await this.#flush();
  }

  async #readOperations(reader: ByteReader): Promise<void> {
    for (const planned of this.#parts.plan.operations.slice(this.#start.nextOperation)) {
      const {data} = planned.operation;
      await this.#waitForRoom(data?.bytes ?? 0);
      const blob = data === null ? new Uint8Array() : await this.#readBlob(reader, planned);
      this.#signal.throwIfAborted();
      this.#begin(planned, blob);
    }
  }

  async #waitForRoom(bytes: number): Promise<void> {
    const isFull = (): boolean =>
      this.#inFlight.size >= WIDTH || this.#blobBytesInFlight + bytes > MAX_BLOB_BYTES;
    while (this.#inFlight.size > 0 && isFull()) await Promise.race(this.#inFlight);
    this.#throwFailure();
  }

  async #readBlob(reader: ByteReader, {operation: {data}, what}: PlannedOperation): Promise<Uint8Array> {
    if (data === null) return new Uint8Array();
    const hash = createHash('sha256');
    const blob = await reader.read(data.bytes, (piece) => {
      hash.update(piece);
      this.#hashes.updateBlob(piece);
      this.#receivedBytes += piece.length;
      this.#report();
    });
    const found = hash.digest();
    if (found.equals(data.sha256)) return blob;
    throw new PayloadError(
      'wrong-hash',
      `${what}: its blob has SHA-256 ${found.toString('hex')}, expected ${Buffer.from(data.sha256).toString('hex')}`,
    );
  }

  #begin(planned: PlannedOperation, blob: Uint8Array): void {
    const {operation, of, index, what, writtenBytes} = planned;
    const markDone = this.#checkpoints.admit(this.#markBehind(planned), writtenBytes);
    this.#blobBytesInFlight += blob.length;
    const work = applyOperation(operation, {
      ...{blob, what, target: of.target, source: of.source},
      decompress: this.#parts.options.decompress,
      xzPool: this.#xzPool,
      signal: this.#signal,
    });
    const settled = work.then(
      () => {
        this.#writtenBytes += writtenBytes;
        this.#report();
        this.#trees.get(of)?.completed(index);
        markDone();
      },
      (error: unknown) => {
        this.#fail(error);
      },
    );
    const task = settled.then(() => {
      this.#inFlight.delete(task);
      this.#blobBytesInFlight -= blob.length;
    });
    this.#inFlight.add(task);
  }

  #markBehind({of, index, operation: {data}}: PlannedOperation): Mark {
    const {signed, file} = this.#hashes;
    const {blobsOffset} = this.#parts.head.layout;
    const nextDataOffset = data === null ? this.#receivedBytes - blobsOffset : data.offset + data.bytes;
    return {
      ...this.#start,
      nextOperation: of.firstOperation + index + 1,
      nextDataOffset,
      signedHash: signed.save(),
      fileHash: file?.save() ?? null,
    };
  }

  /** The payload signatures, and that nothing follows them. */
  async #readEnd(reader: ByteReader): Promise<void> {
    const {head, options} = this.#parts;
    const message = await reader.read(head.manifest.signaturesBytes);
    await reader.requireEnd();
    this.#receivedBytes += message.length;
    this.#report();
    const {file, signed} = this.#hashes;
    file?.update(message);
    const found = file === null ? null : Buffer.from(file.digest());
    if (options.expected !== undefined && found?.equals(options.expected.sha256) !== true)
      throw new SuspectError(
        'wrong-hash',
        `the payload has SHA-256 ${found?.toString('hex') ?? 'none'}, expected ${Buffer.from(options.expected.sha256).toString('hex')}`,
      );
    const digest = signed.digest();
    try {
      verifyDigest(digest, decodeSignatures(message), options.keys);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      throw new SuspectError(error.code, error.message, {cause: error});
    }
  }

  async #flush(): Promise<void> {
    for (const {target} of this.#parts.plan.partitions) await target.flush();
  }

  async #saveLast(): Promise<void> {
    try {
      await this.#checkpoints.finish();
    } catch (error) {
      // While another error is on its way this one would hide it; what was saved before still holds.
      if (this.#failed.signal.aborted) return;
      throw error;
    }
  }

  #report(): void {
    const {layout} = this.#parts.head;
    this.#parts.options.onProgress({
      bytes: this.#receivedBytes,
      totalBytes: layout.totalBytes,
      writtenBytes: this.#writtenBytes,
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= {error};
    this.#failed.abort(this.#failure.error);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/**
 * Operations under way: a few at once, so that both processors unpack, and their progress in order. Node reads the next
 * blob meanwhile, and the network does not wait for the disk.
 */
import type {Operation} from '../../formats/payload/types.ts';
import {MIB} from '../../formats/units.ts';
import {bytesOf} from './extents.ts';
import type {Progress} from './progress.ts';

export type ProgressPoint = Omit<Progress, 'format' | 'metadataSha256'>;

export interface PipelineOptions {
  flush(): Promise<void>;
  save(point: ProgressPoint): Promise<void>;
  signal: AbortSignal;
}

/** Two processors, and one more whose program is just starting. */
const MAX_UNDER_WAY = 3;
/** Blobs and what they unpack to are in memory: this and one more operation at most. */
const MAX_BYTES_UNDER_WAY = 48 * MIB;
/** Written between two saves: a flush is dear on a slow disk, and so is downloading this much again. */
const SAVE_EVERY_BYTES = 32 * MIB;

interface Running {
  point: ProgressPoint;
  bytes: number;
  ended: Promise<void>;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #running: Running[] = [];
  #bytes = 0;
  #last: ProgressPoint | undefined;
  #unsavedBytes = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** Resolves when one more operation may begin. Throws what an earlier one threw. */
  async makeRoom(operation: Operation): Promise<void> {
    this.#options.signal.throwIfAborted();
    const bytes = costOf(operation);
    while (
      this.#running.length >= MAX_UNDER_WAY ||
      (this.#running.length > 0 && this.#bytes + bytes > MAX_BYTES_UNDER_WAY)
    )
      await this.#endFirst();
  }

  add(operation: Operation, point: ProgressPoint, ended: Promise<void>): void {
    // Its turn to be waited for comes later; until then its failure is not unhandled.
    ended.catch(() => undefined);
    const bytes = costOf(operation);
    this.#bytes += bytes;
    this.#running.push({point, bytes, ended});
  }

  /** All operations have ended, and the progress is saved. */
  async drain(): Promise<void> {
    while (this.#running.length > 0) await this.#endFirst();
    if (this.#unsavedBytes > 0) await this.#save();
  }

  /** After a failure, with the rest told to stop: waits for all of them and saves what is whole. */
  async giveUp(): Promise<void> {
    for (let first = this.#running.shift(); first !== undefined; first = this.#running.shift()) {
      const hasEnded = await first.ended.then(
        () => true,
        () => false,
      );
      if (!hasEnded) break;
      this.#count(first);
    }
    await Promise.allSettled(this.#running.map(({ended}) => ended));
    // A disk that failed fails here again; the first error is the one to tell.
    if (this.#unsavedBytes > 0) await this.#save().catch(() => undefined);
  }

  async #endFirst(): Promise<void> {
    const [first] = this.#running;
    if (first === undefined) return;
    await first.ended;
    this.#running.shift();
    this.#count(first);
    if (this.#unsavedBytes >= SAVE_EVERY_BYTES) await this.#save();
  }

  #count({bytes, point}: Running): void {
    this.#bytes -= bytes;
    this.#unsavedBytes += bytes;
    this.#last = point;
  }

  async #save(): Promise<void> {
    if (this.#last === undefined) return;
    await this.#options.flush();
    await this.#options.save(this.#last);
    this.#unsavedBytes = 0;
  }
}

function costOf({data, dstExtents}: Operation): number {
  return (data?.bytes ?? 0) + bytesOf(dstExtents);
}

/**
 * The dm-verity tree that the host makes itself. Operations end in any order; the tree wants its data in one. So it
 * follows behind: as far as blocks are written without a gap, it reads them back, which the page cache answers, and
 * hashes them while others are still being unpacked. After an interruption it simply starts at the front again.
 *
 * Rejected: hashing what passes by on its way to the disk, which is cheaper by a copy but needs two ways, one for
 * payloads in order and one for all others, and hashes memory rather than what was written.
 */
import {readExactly} from '../../formats/byte-source.ts';
import {BLOCK_BYTES, type HashTree, type PartitionUpdate} from '../../formats/payload/types.ts';
import {VerityTree} from '../../formats/verity.ts';
import type {Target} from '../slots/target.ts';

const READ_BYTES = 1 << 20;

export interface HashTreeOptions {
  target: Target;
  signal: AbortSignal;
  /** Operations before this one were done by an earlier run. */
  doneOperations: number;
  /** Hears of the first error; finish() throws the same. */
  onFailure: (error: unknown) => void;
}

interface Run {
  startBlock: number;
  endBlock: number;
  operation: number;
}

export class HashTreeWriter {
  readonly #tree: HashTree;
  readonly #verity: VerityTree;
  readonly #name: string;
  readonly #options: HashTreeOptions;
  /** Where operations write, in the order of the disk. */
  readonly #runs: readonly Run[];
  readonly #done: boolean[];
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #nextRun = 0;
  /** The next block to hash. */
  #block: number;
  #walk: Promise<void> | null = null;
  #failure: {error: unknown} | null = null;

  constructor({name, operations}: PartitionUpdate, tree: HashTree, options: HashTreeOptions) {
    this.#name = name;
    this.#tree = tree;
    this.#verity = new VerityTree({salt: tree.salt});
    this.#options = options;
    this.#done = operations.map((_, index) => index < options.doneOperations);
    this.#runs = operations
      .flatMap(({dstExtents}, operation) =>
        dstExtents.map(({startBlock, blocks}) => ({startBlock, endBlock: startBlock + blocks, operation})),
      )
      .sort((a, b) => a.startBlock - b.startBlock);
    this.#block = tree.data.startBlock;
  }

  /** An operation's blocks are written. */
  completed(operation: number): void {
    this.#done[operation] = true;
    this.#follow();
  }

  /** Once all operations are completed: writes the tree. */
  async finish(): Promise<void> {
    this.#follow();
    await this.#walk;
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#block !== this.#end) throw new Error(`${this.#name}: block ${this.#block} was never written`);
    const {tree} = this.#verity.finish();
    await this.#options.target.writeAt(this.#tree.tree.startBlock * BLOCK_BYTES, tree);
  }

  /** Waits for what is being read. */
  async stop(): Promise<void> {
    await this.#walk;
  }

  get #end(): number {
    return this.#tree.data.startBlock + this.#tree.data.blocks;
  }

  #follow(): void {
    if (this.#walk !== null || this.#failure !== null) return;
    this.#walk = this.#hashWritten().then(
      () => {
        this.#walk = null;
      },
      (error: unknown) => {
        this.#walk = null;
        this.#failure = {error};
        this.#options.onFailure(error);
      },
    );
  }

  async #hashWritten(): Promise<void> {
    for (let end = this.#writtenEnd(); this.#block < end; end = this.#writtenEnd()) {
      this.#options.signal.throwIfAborted();
      const bytes = Math.min(READ_BYTES, (end - this.#block) * BLOCK_BYTES);
      const piece = await readExactly(
        this.#options.target,
        this.#block * BLOCK_BYTES,
        bytes,
        this.#name,
        this.#buffer,
      );
      this.#verity.update(piece);
      this.#block += bytes / BLOCK_BYTES;
    }
  }

  /** The block up to which everything from the front is written. */
  #writtenEnd(): number {
    for (let run = this.#runs[this.#nextRun]; run !== undefined; run = this.#runs[this.#nextRun]) {
      if (this.#done[run.operation] !== true) return Math.min(run.startBlock, this.#end);
      this.#nextRun += 1;
    }
    return this.#end;
  }
}

/** Runs of blocks, read or written as if they were one file. */
import {type ByteSource, readExactly, sourceOf} from '../../formats/byte-source.ts';
import {countBlocks} from '../../formats/payload/coverage.ts';
import {BLOCK_BYTES, type Extent, PayloadError} from '../../formats/payload/types.ts';
import type {Target} from '../slots/target.ts';

/** Of one write; smaller ones cost more calls than copying. */
const WRITE_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(WRITE_BYTES);

/** Writes the blocks of an operation front to back, with one write in flight. */
export class ExtentWriter {
  readonly bytes: number;
  readonly #target: Target;
  readonly #runs: readonly {from: number; bytes: number; place: number}[];
  readonly #signal: AbortSignal;
  #buffer: Buffer | undefined;
  #buffered = 0;
  /** How many bytes were written. */
  #at = 0;
  #run = 0;

  constructor(target: Target, extents: readonly Extent[], signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
    this.#runs = flatten(extents);
    this.bytes = countBlocks(extents) * BLOCK_BYTES;
  }

  /** The next bytes. Throws PayloadError 'bad-data' beyond the last block. The caller may reuse `bytes` afterwards. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.bytes - this.#at - this.#buffered)
      throw new PayloadError('bad-data', `more than the ${this.bytes} bytes that an operation writes`);
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#buffered === 0 && rest.length >= WRITE_BYTES) {
        await this.#put(rest.subarray(0, WRITE_BYTES));
        rest = rest.subarray(WRITE_BYTES);
        continue;
      }
      this.#buffer ??= Buffer.allocUnsafeSlow(Math.min(WRITE_BYTES, this.bytes));
      const taken = rest.subarray(0, this.#buffer.length - this.#buffered);
      this.#buffer.set(taken, this.#buffered);
      this.#buffered += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#buffered === this.#buffer.length) await this.#drain();
    }
  }

  async writeZeros(): Promise<void> {
    while (this.#at < this.bytes)
      await this.#put(ZEROS.subarray(0, Math.min(WRITE_BYTES, this.bytes - this.#at)));
  }

  /** Zeros to the end of the last block. Throws PayloadError 'bad-data' when a whole block is missing. */
  async finish(): Promise<void> {
    const missing = this.bytes - this.#at - this.#buffered;
    if (missing >= BLOCK_BYTES)
      throw new PayloadError(
        'bad-data',
        `${this.bytes - missing} bytes of the ${this.bytes} that an operation writes`,
      );
    // Through the buffer: a disk takes whole blocks in one piece more readily than parts of one.
    await this.write(ZEROS.subarray(0, missing));
    await this.#drain();
  }

  async #drain(): Promise<void> {
    if (this.#buffer === undefined || this.#buffered === 0) return;
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#put(bytes);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      this.#signal.throwIfAborted();
      const run = this.#runs[this.#run];
      if (run === undefined) throw new Error('bytes beyond the last extent');
      const done = this.#at - run.from;
      const piece = rest.subarray(0, run.bytes - done);
      await this.#target.writeAt(run.place + done, piece);
      this.#at += piece.length;
      if (this.#at === run.from + run.bytes) this.#run += 1;
      rest = rest.subarray(piece.length);
    }
  }
}

/** The blocks of `extents` as one source. */
export function sourceOfExtents(source: ByteSource, extents: readonly Extent[], what: string): ByteSource {
  const runs = flatten(extents);
  const bytes = countBlocks(extents) * BLOCK_BYTES;
  return {
    bytes,
    async readAt(offset, length) {
      const end = Math.min(offset + length, bytes);
      const parts: Uint8Array[] = [];
      for (const run of runs) {
        const [from, to] = [Math.max(offset, run.from), Math.min(end, run.from + run.bytes)];
        if (from >= to) continue;
        parts.push(await readExactly(source, run.place + from - run.from, to - from, what));
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    },
  };
}

/** A partition that was padded to whole blocks when the payload was made: zeros follow its last bytes. */
export function paddedSource(source: ByteSource, bytes: number): ByteSource {
  if (source.bytes >= bytes || bytes - source.bytes >= BLOCK_BYTES) return source;
  const tail = sourceOf(new Uint8Array(BLOCK_BYTES));
  return {
    bytes,
    async readAt(offset, length) {
      const wanted = Math.max(0, Math.min(length, bytes - offset));
      const found = offset < source.bytes ? await source.readAt(offset, wanted) : new Uint8Array();
      const missing = offset + found.length >= source.bytes ? wanted - found.length : 0;
      return missing === 0 ? found : Buffer.concat([found, await tail.readAt(0, missing)]);
    },
  };
}

function flatten(extents: readonly Extent[]): {from: number; bytes: number; place: number}[] {
  let from = 0;
  return extents.map(({startBlock, blocks}) => {
    const run = {from, bytes: blocks * BLOCK_BYTES, place: startBlock * BLOCK_BYTES};
    from += run.bytes;
    return run;
  });
}

/** A stream of bytes, taken in pieces of the lengths that a format speaks of. Nothing is read ahead but one chunk. */
import {type PayloadErrorCode, PayloadError} from '../../formats/payload/types.ts';
import {abortable} from './abortable.ts';

export interface ByteReaderOptions {
  signal: AbortSignal;
  /** What the stream is, for messages. */
  what: string;
  /** Of the error when it ends too early, or too late. */
  codes: {early: PayloadErrorCode; late: PayloadErrorCode};
}

export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #options: ByteReaderOptions;
  #chunk: Uint8Array = new Uint8Array();
  #isWaiting = false;

  constructor(chunks: AsyncIterable<Uint8Array>, options: ByteReaderOptions) {
    this.#iterator = chunks[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** From 1 to `max` bytes, whatever is at hand. Valid until the next call. Throws PayloadError at the end. */
  async readSome(max: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0 && !(await this.#fill())) {
      const {codes, what} = this.#options;
      throw new PayloadError(codes.early, `${what} ends too early`);
    }
    const piece = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  /** Exactly so many bytes, in memory of their own. `onPiece` hears them as they come. */
  async read(length: number, onPiece?: (piece: Uint8Array) => void): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length;) {
      const piece = await this.readSome(length - done);
      bytes.set(piece, done);
      onPiece?.(piece);
      done += piece.length;
    }
    return bytes;
  }

  /** Throws PayloadError when there is one byte more. */
  async requireEnd(): Promise<void> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return;
    const {codes, what} = this.#options;
    throw new PayloadError(codes.late, `${what} does not end where it should`);
  }

  /** Lets go of the stream, read or not. */
  async close(): Promise<void> {
    this.#chunk = new Uint8Array();
    const closed = Promise.resolve(this.#iterator.return?.()).then(
      () => undefined,
      () => undefined,
    );
    // A stream that never answered its last call will not answer this one.
    if (!this.#isWaiting) await closed;
  }

  async #fill(): Promise<boolean> {
    const {signal} = this.#options;
    do {
      signal.throwIfAborted();
      this.#isWaiting = true;
      const answer = this.#iterator.next();
      const next = await abortable(answer, signal).catch((error: unknown) => {
        if (!signal.aborted) this.#isWaiting = false;
        throw error;
      });
      this.#isWaiting = false;
      if (next.done === true) return false;
      this.#chunk = next.value;
    } while (this.#chunk.length === 0);
    return true;
  }
}

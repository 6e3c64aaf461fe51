/** A stream of bytes, taken in pieces of a wanted length. */
import {PayloadError} from '../../formats/payload/types.ts';

export class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * Exactly `length` bytes. What the stream throws passes through; its end before that is PayloadError 'truncated', with
   * `what` in the message.
   */
  async take(length: number, what: string): Promise<Uint8Array> {
    if (this.#rest.length >= length) return this.#cut(length);
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0 && !(await this.#fetch()))
        throw new PayloadError('truncated', `the payload ends within ${what}: ${filled} of ${length} bytes`, {
          retryable: true,
        });
      const piece = this.#cut(Math.min(length - filled, this.#rest.length));
      taken.set(piece, filled);
      filled += piece.length;
    }
    return taken;
  }

  /** Whether nothing is left; asks the stream. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) if (!(await this.#fetch())) return true;
    return false;
  }

  /** Tells the stream that nobody reads on. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fetch(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#rest = next.value;
    return true;
  }

  #cut(length: number): Uint8Array {
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return piece;
  }
}

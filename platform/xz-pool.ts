/**
 * xz processes that live as long as a payload is applied, each unpacking one blob after the other: starting one costs
 * this process more than the blob does.
 *
 * Whose bytes are whose: a process has one blob at a time. Behind it goes a separator, an xz stream of our own that
 * begins with random bytes nobody outside can know. Once they come out, xz has found the blob whole and its sizes and
 * checksums right; before the separator come exactly the bytes that the blob's index speaks of. Anything else ends the
 * process, and nobody else has a blob in it. The separator also pushes: xz holds up to 8 KiB back on either side.
 *
 * Rejected: one process for all blobs, whose output is cut up by sizes alone: a blob that is not what it says would
 * move the bytes of all that follow.
 */
import {randomBytes} from 'node:crypto';
import {unpackedBytesOfXz} from '../formats/xz.ts';
import {DecompressError, PROGRAMS, PROGRAM_ENV} from './decompress.ts';
import {type RunningProcess, start} from './exec.ts';
import {filterBytes} from './filter.ts';

const MARK_BYTES = 32;
/** Zeros behind the mark, several times the buffers of xz. */
const PUSH_BYTES = 32 << 10;
/**
 * Stream padding behind the separator. A block that does not end where its index says goes on into what follows it, at
 * most 64 KiB at a time (the longest chunk of LZMA2), and zeros end it: xz that waits for more would be waited for.
 */
const PADDING_BYTES = 128 << 10;

interface Separator {
  mark: Buffer;
  packed: Buffer;
}

export class XzPool {
  readonly #signal: AbortSignal;
  readonly #idle: XzProcess[] = [];
  readonly #all = new Set<XzProcess>();
  #separator: Promise<Separator> | null = null;

  /** Processes end with the signal. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Unpacks one xz stream, to at most `maxBytes`. As many processes as there are calls at once. Throws DecompressError
   * 'interrupted' when that did not work, whoever's fault it was; ExecError when there is no xz; the signal's reason.
   */
  async *unpack(input: Uint8Array, maxBytes: number): AsyncGenerator<Uint8Array> {
    const bytes = unpackedBytesOfXz(input);
    if (bytes === null || bytes > maxBytes) throw interrupted();
    this.#separator ??= makeSeparator(this.#signal);
    const separator = await this.#separator;
    this.#signal.throwIfAborted();
    const process = this.#idle.pop() ?? this.#start();
    let isWhole = false;
    try {
      yield* process.unpack(input, bytes, separator);
      isWhole = true;
    } finally {
      if (isWhole) this.#idle.push(process);
      else await this.#end(process);
      this.#signal.throwIfAborted();
    }
  }

  /** Ends all processes, busy or not, and waits until they are gone. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((process) => this.#end(process)));
  }

  #start(): XzProcess {
    const process = new XzProcess(this.#signal);
    this.#all.add(process);
    return process;
  }

  async #end(process: XzProcess): Promise<void> {
    await process.end();
    this.#all.delete(process);
  }
}

class XzProcess {
  readonly #child: RunningProcess;
  readonly #output: AsyncIterator<Buffer>;
  #piece: Buffer = Buffer.alloc(0);
  /** Of the last separator, still to come. */
  #owedBytes = 0;

  constructor(signal: AbortSignal) {
    this.#child = start(PROGRAMS.xz, {env: PROGRAM_ENV, signal});
    // What went wrong shows at the other end.
    this.#child.stdin.on('error', () => undefined);
    this.#output = this.#child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async *unpack(input: Uint8Array, bytes: number, {mark, packed}: Separator): AsyncGenerator<Uint8Array> {
    this.#child.stdin.write(input);
    this.#child.stdin.write(packed);
    while (this.#owedBytes > 0) this.#owedBytes -= (await this.#next(this.#owedBytes)).length;
    for (let left = bytes; left > 0;) {
      const piece = await this.#next(left);
      left -= piece.length;
      yield piece;
    }
    for (let seen = 0; seen < mark.length;) {
      const piece = await this.#next(mark.length - seen);
      if (!piece.equals(mark.subarray(seen, seen + piece.length))) throw interrupted();
      seen += piece.length;
    }
    this.#owedBytes = PUSH_BYTES;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    this.#child.stdout.destroy();
    await this.#child.ended;
  }

  async #next(max: number): Promise<Buffer> {
    while (this.#piece.length === 0) {
      const next = await this.#output.next().catch(() => undefined);
      if (next === undefined || next.done === true) throw interrupted();
      this.#piece = next.value;
    }
    const piece = this.#piece.subarray(0, max);
    this.#piece = this.#piece.subarray(piece.length);
    return piece;
  }
}

async function makeSeparator(signal: AbortSignal): Promise<Separator> {
  const mark = randomBytes(MARK_BYTES);
  const content = Buffer.concat([mark, Buffer.alloc(PUSH_BYTES)]);
  const stream = await filterBytes(['xz', '--format=xz', '--stdout', '-0'], content, {
    signal,
    env: PROGRAM_ENV,
  });
  return {mark, packed: Buffer.concat([stream, Buffer.alloc(PADDING_BYTES)])};
}

function interrupted(): DecompressError {
  return new DecompressError(
    'interrupted',
    'no single stream of xz, or not with the bytes that its index speaks of',
  );
}

/**
 * Compressed bytes as a stream of what they unpack to, never more than the caller said: a bomb costs an error.
 *
 * xz and bzip2 run as processes, one for each stream: they use the other processors, and the memory that a hostile
 * stream asks for is theirs and has a limit. Starting one takes about as long as unpacking a MiB or two, so whoever has
 * hundreds of xz streams uses xz-pool.ts first; the verdict about a stream is always spoken here.
 *
 * Rejected: decoders in JavaScript or WebAssembly, several times slower.
 */
import type {Readable} from 'node:stream';
import {createBrotliDecompress} from 'node:zlib';
import {CodedError} from '../formats/errors.ts';
import {type Argv, ExecError, start} from './exec.ts';

export type Compression = 'none' | 'bzip2' | 'xz' | 'brotli';

export type DecompressErrorCode =
  /** It unpacks to more than it may. */
  | 'too-long'
  /** It is no such stream, or not all of one. */
  | 'damaged'
  /** A program that unpacks for several ended, and this need not be why: try it with one of its own. */
  | 'interrupted';

export class DecompressError extends CodedError<DecompressErrorCode> {}

export interface DecompressOptions {
  /** Of the result; exactly so many are allowed. */
  maxBytes: number;
  signal: AbortSignal;
}

/**
 * Throws DecompressError, ExecError 'not-found' when the machine lacks the program, and the signal's reason. Nothing runs
 * before the first piece is asked for, nor after the loop over it was left.
 */
export type Decompress = (
  compression: Compression,
  input: Uint8Array,
  options: DecompressOptions,
) => AsyncIterable<Uint8Array>;

/** What `xz -9` needs, with room. Only streams that were made to be nasty want more. */
const XZ_MEMORY = '80MiB';

export const PROGRAMS: Readonly<Record<'xz' | 'bzip2', Argv>> = {
  xz: ['xz', '--format=xz', '--decompress', '--stdout', '--threads=1', `--memlimit-decompress=${XZ_MEMORY}`],
  bzip2: ['bzip2', '--decompress', '--stdout', '--quiet'],
};
/** Options from the environment are not ours. */
export const PROGRAM_ENV = {
  XZ_OPT: undefined,
  XZ_DEFAULTS: undefined,
  BZIP: undefined,
  BZIP2: undefined,
  LC_ALL: 'C',
};

export const decompress: Decompress = async function* (compression, input, {maxBytes, signal}) {
  let bytes = 0;
  for await (const piece of unpack(compression, input, signal)) {
    bytes += piece.length;
    if (bytes > maxBytes)
      throw new DecompressError(
        'too-long',
        `${input.length} bytes of ${compression} unpack to more than ${maxBytes}`,
      );
    yield piece;
  }
};

function unpack(compression: Compression, input: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none':
      return onePiece(input);
    case 'brotli':
      return unpackBrotli(input, signal);
    case 'xz':
    case 'bzip2':
      return runProgram(compression, input, signal);
  }
}

async function* onePiece(input: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(input);
}

async function* unpackBrotli(input: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = createBrotliDecompress();
  stream.end(input);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) yield piece;
  } catch (error) {
    signal.throwIfAborted();
    throw new DecompressError('damaged', `${input.length} bytes are no brotli stream`, {cause: error});
  } finally {
    stream.destroy();
  }
}

async function* runProgram(
  name: 'xz' | 'bzip2',
  input: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  const child = start(PROGRAMS[name], {env: PROGRAM_ENV, signal});
  // A program that stops reading says why by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let isWhole = false;
  try {
    yield* piecesOf(child.stdout);
    isWhole = true;
  } finally {
    // Whoever leaves the loop early must not leave the process behind.
    if (!isWhole) child.kill('SIGKILL');
    await child.ended;
  }
  try {
    await child.finished();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ExecError) || error.code === 'not-found' || error.exitCode === undefined)
      throw error;
    throw new DecompressError('damaged', `${name} cannot unpack ${input.length} bytes: ${error.stderr}`, {
      cause: error,
    });
  }
}

/** Ends without an error when the stream is cut off: the exit code of the program tells why. */
async function* piecesOf(stream: Readable): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await iterator.next().catch(() => undefined);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    stream.destroy();
  }
}

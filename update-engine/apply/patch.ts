/**
 * Applies a bsdiff patch as a stream: the three streams of the patch are unpacked beside each other, old bytes are read
 * where they are needed, new ones leave in pieces. Memory does not depend on what the patch says.
 *
 * Rejected: the `bspatch` program, which holds old file, new file and all streams in memory, and knows one of the two
 * formats.
 */
import type {ByteSource} from '../../formats/byte-source.ts';
import {
  CONTROL_TRIPLE_BYTES,
  type ControlTriple,
  type PatchStream,
  decodeControlTriple,
  decodePatch,
} from '../../formats/payload/bsdiff.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import type {Decompress} from '../../platform/decompress.ts';
import {ByteReader} from './byte-reader.ts';

export interface PatchOptions {
  decompress: Decompress;
  /** The new bytes may be no more. */
  maxBytes: number;
  signal: AbortSignal;
}

const PIECE_BYTES = 256 << 10;
/** Triples that make no bytes are legal (the first may only move), so their number has a bound of its own. */
const SPARE_TRIPLES = 16;

/** Hands the new bytes to `write`, in order. Throws PayloadError 'bad-patch', and what `decompress` throws. */
export async function applyPatch(
  patch: Uint8Array,
  old: ByteSource,
  {decompress, maxBytes, signal}: PatchOptions,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const {control, difference, extra, newBytes} = decodePatch(patch);
  if (newBytes > maxBytes) throw bad(`it makes ${newBytes} bytes, at most ${maxBytes}`);
  const open = ({compression, data}: PatchStream, what: string, limit: number): ByteReader =>
    new ByteReader(data.length === 0 ? nothing() : decompress(compression, data, {maxBytes: limit, signal}), {
      signal,
      what: `the ${what} stream of a patch`,
      codes: {early: 'bad-patch', late: 'bad-patch'},
    });
  const maxTriples = newBytes + SPARE_TRIPLES;
  const triples = open(control, 'control', maxTriples * CONTROL_TRIPLE_BYTES);
  const differences = open(difference, 'difference', newBytes);
  const extras = open(extra, 'extra', newBytes);
  try {
    let position = 0;
    for (let made = 0; made < newBytes;) {
      const {add, copy, seek}: ControlTriple = decodeControlTriple(
        await triples.read(CONTROL_TRIPLE_BYTES),
        newBytes - made,
      );
      await addTo(old, position, add, differences, write);
      for (let left = copy; left > 0;) {
        const piece = await extras.readSome(Math.min(left, PIECE_BYTES));
        await write(piece);
        left -= piece.length;
      }
      made += add + copy;
      position += add + seek;
      if (!Number.isSafeInteger(position)) throw bad(`it moves to byte ${position} of the old file`);
    }
    for (const reader of [triples, differences, extras]) await reader.requireEnd();
  } finally {
    for (const reader of [triples, differences, extras]) await reader.close();
  }
}

async function addTo(
  old: ByteSource,
  position: number,
  add: number,
  differences: ByteReader,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (let done = 0; done < add;) {
    const piece = await differences.readSome(Math.min(add - done, PIECE_BYTES));
    const sum = Buffer.from(piece);
    const start = position + done;
    // Old bytes outside of the file count as zero, as they always did in bspatch.
    const from = Math.max(0, start);
    const base = await old.readAt(from, Math.max(0, Math.min(start + piece.length, old.bytes) - from));
    const shift = from - start;
    for (let index = 0; index < base.length; index += 1)
      sum[shift + index] = (sum[shift + index] ?? 0) + (base[index] ?? 0);
    await write(sum);
    done += piece.length;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty stream needs no decompressor, and some of them refuse it.
}

function bad(message: string): PayloadError {
  return new PayloadError('bad-patch', message);
}

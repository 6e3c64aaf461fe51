/**
 * The two patch formats that payloads carry: the classic one of Colin Percival's bsdiff ("BSDIFF40", all streams bzip2),
 * and the one of update_engine's bsdiff ("BSDF2", each stream with a compressor of its own). Both are 32 bytes of header,
 * then a stream of control triples, one of differences and one of new bytes.
 *
 * | offset | BSDIFF40 | BSDF2 |
 * | --- | --- | --- |
 * | 0 | `BSDIFF40` | `BSDF2`, then one byte for each stream: 0 plain, 1 bzip2, 2 brotli |
 * | 8 | bytes of the control stream, compressed | the same |
 * | 16 | bytes of the difference stream, compressed | the same |
 * | 24 | bytes of the new file | the same |
 *
 * Numbers are 64-bit little-endian, sign and magnitude.
 */
import {PayloadError} from './types.ts';

export const PATCH_HEADER_BYTES = 32;
export const CONTROL_TRIPLE_BYTES = 24;

export type PatchCompression = 'none' | 'bzip2' | 'brotli';

export interface PatchStream {
  compression: PatchCompression;
  /** A view of the patch. */
  data: Uint8Array;
}

export interface Patch {
  control: PatchStream;
  difference: PatchStream;
  extra: PatchStream;
  newBytes: number;
}

/** What a triple says: add so many differences to old bytes, then take so many new ones, then move in the old file. */
export interface ControlTriple {
  add: number;
  copy: number;
  /** May lead backwards, and out of the file, where its bytes count as zero. */
  seek: number;
}

const COMPRESSIONS: readonly PatchCompression[] = ['none', 'bzip2', 'brotli'];

/** Throws PayloadError 'bad-patch'. The streams are not looked into. */
export function decodePatch(bytes: Uint8Array): Patch {
  if (bytes.length < PATCH_HEADER_BYTES)
    throw bad(`a patch begins with ${PATCH_HEADER_BYTES} bytes, here are ${bytes.length}`);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [control, difference, extra] = compressionsOf(view);
  const controlEnd = PATCH_HEADER_BYTES + decodeLength(view, 8, bytes.length, 'control stream');
  const differenceEnd = controlEnd + decodeLength(view, 16, bytes.length, 'difference stream');
  if (differenceEnd > bytes.length)
    throw bad(`its streams end at byte ${differenceEnd}, the patch has ${bytes.length}`);
  return {
    control: {compression: control, data: bytes.subarray(PATCH_HEADER_BYTES, controlEnd)},
    difference: {compression: difference, data: bytes.subarray(controlEnd, differenceEnd)},
    extra: {compression: extra, data: bytes.subarray(differenceEnd)},
    newBytes: decodeLength(view, 24, Number.MAX_SAFE_INTEGER, 'new file'),
  };
}

/** 24 bytes. Throws PayloadError 'bad-patch' unless add and copy fit in the `left` bytes that are still to be made. */
export function decodeControlTriple(bytes: Uint8Array, left: number): ControlTriple {
  if (bytes.length !== CONTROL_TRIPLE_BYTES) throw bad(`a control triple of ${bytes.length} bytes`);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const add = decodeLength(view, 0, left, 'run of differences');
  const copy = decodeLength(view, 8, left - add, 'run of new bytes');
  return {add, copy, seek: decodeNumber(view, 16, 'seek')};
}

function compressionsOf(view: Buffer): readonly [PatchCompression, PatchCompression, PatchCompression] {
  if (view.toString('latin1', 0, 8) === 'BSDIFF40') return ['bzip2', 'bzip2', 'bzip2'];
  if (view.toString('latin1', 0, 5) !== 'BSDF2')
    throw bad(`it begins with ${JSON.stringify(view.toString('latin1', 0, 8))}, expected BSDIFF40 or BSDF2`);
  const compressionAt = (offset: number): PatchCompression => {
    const found = COMPRESSIONS[view.readUInt8(offset)];
    if (found === undefined) throw bad(`a stream of unknown compressor ${view.readUInt8(offset)}`);
    return found;
  };
  return [compressionAt(5), compressionAt(6), compressionAt(7)];
}

function decodeLength(view: Buffer, offset: number, max: number, what: string): number {
  const value = decodeNumber(view, offset, what);
  if (value < 0 || value > max) throw bad(`${what} of ${value} bytes, expected 0 to ${max}`);
  return value;
}

/** Minus zero, which sign and magnitude can say, is refused: no writer says it. */
function decodeNumber(view: Buffer, offset: number, what: string): number {
  const raw = view.readBigUInt64LE(offset);
  const isNegative = raw >> 63n === 1n;
  const magnitude = raw & ~(1n << 63n);
  if (magnitude > BigInt(Number.MAX_SAFE_INTEGER) || (isNegative && magnitude === 0n))
    throw bad(`${what}: ${isNegative ? '-' : ''}${magnitude} is out of range`);
  return isNegative ? -Number(magnitude) : Number(magnitude);
}

function bad(message: string): PayloadError {
  return new PayloadError('bad-patch', message);
}

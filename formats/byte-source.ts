/**
 * Bytes that are fetched by their place, so that a decoder reads a few kilobytes of a disk and not the disk. Whoever
 * opened the file or device makes the first one; windows into it (a partition, a file of a file system) follow here.
 */
import {CodedError} from './errors.ts';

export class ByteSourceError extends CodedError<'truncated'> {}

export interface ByteSource {
  /** How many there are. */
  readonly bytes: number;
  /**
   * Gives fewer than `length` only at the end. The result may lie in `into`, which has room for it: who reads a whole
   * disk need not have the garbage of one.
   */
  readAt(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
}

export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    bytes: bytes.length,
    readAt: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** The window of `bytes` bytes from `offset`. It may reach beyond the end; reading there gives nothing. */
export function windowOf(source: ByteSource, offset: number, bytes: number): ByteSource {
  return {
    bytes,
    readAt(at, length, into) {
      const wanted = Math.min(length, bytes - at);
      return wanted <= 0 ? Promise.resolve(new Uint8Array()) : source.readAt(offset + at, wanted, into);
    },
  };
}

/** Throws ByteSourceError unless all the bytes are there; `what` names them in the message. */
export async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const bytes = await source.readAt(offset, length, into);
  if (bytes.length === length) return bytes;
  throw new ByteSourceError(
    'truncated',
    `${what}: ${bytes.length} of ${length} bytes at ${offset}, because the data ends there`,
  );
}

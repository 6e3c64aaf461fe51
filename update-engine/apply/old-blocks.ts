/** What an operation reads of the old partition: nothing of it is used before its hash was right. */
import {createHash} from 'node:crypto';
import {type ByteSource, readExactly, sourceOf} from '../../formats/byte-source.ts';
import {type Operation, PayloadError} from '../../formats/payload/types.ts';
import {sourceOfExtents} from './extents.ts';

/** Sources up to this size are read once and kept; larger ones are hashed, then read again as they are needed. */
const KEPT_BYTES = 4 << 20;
const READ_BYTES = 1 << 20;
/** Patches jump about in the old file in steps of some hundred bytes. */
const WINDOW_BYTES = 256 << 10;
const WINDOWS = 8;

/** Throws PayloadError 'wrong-hash' when the old partition is not the one that the payload was made for. */
export async function openOldBlocks(
  partition: ByteSource,
  {srcExtents, srcSha256}: Operation,
  {what, signal}: {what: string; signal: AbortSignal},
): Promise<ByteSource> {
  const source = sourceOfExtents(partition, srcExtents, `${what}: old partition`);
  if (source.bytes <= KEPT_BYTES) {
    const bytes = await source.readAt(0, source.bytes);
    requireHash(createHash('sha256').update(bytes).digest(), srcSha256, what);
    return sourceOf(bytes);
  }
  if (srcSha256 !== null) requireHash(await hashSource(source, what, signal), srcSha256, what);
  return inWindows(source, what);
}

/** SHA-256 of all of it. */
export async function hashSource(source: ByteSource, what: string, signal: AbortSignal): Promise<Buffer> {
  const hash = createHash('sha256');
  // One is hashed while the other is filled.
  const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)];
  const read = (at: number): Promise<Uint8Array> =>
    readExactly(source, at, Math.min(READ_BYTES, source.bytes - at), what, buffers[(at / READ_BYTES) % 2]);
  let next = read(0);
  for (let at = 0; at < source.bytes; at += READ_BYTES) {
    const piece = await next;
    signal.throwIfAborted();
    // The disk reads on while this one is hashed.
    if (at + READ_BYTES < source.bytes) {
      next = read(at + READ_BYTES);
      next.catch(() => undefined);
    }
    hash.update(piece);
  }
  return hash.digest();
}

function requireHash(found: Buffer, expected: Uint8Array | null, what: string): void {
  if (expected === null || found.equals(expected)) return;
  throw new PayloadError(
    'wrong-hash',
    `${what}: the old blocks have SHA-256 ${found.toString('hex')}, expected ${Buffer.from(expected).toString('hex')}`,
    {hint: 'this payload is for hosts that run another release; a full payload fits all'},
  );
}

/** Keeps the windows read last, so that small reads near each other cost one read of the disk. */
function inWindows(source: ByteSource, what: string): ByteSource {
  const windows = new Map<number, Uint8Array>();
  const windowAt = async (start: number): Promise<Uint8Array> => {
    let window = windows.get(start);
    if (window === undefined) {
      window = await readExactly(source, start, Math.min(WINDOW_BYTES, source.bytes - start), what);
      const [oldest] = windows.keys();
      if (windows.size >= WINDOWS && oldest !== undefined) windows.delete(oldest);
    }
    windows.delete(start);
    windows.set(start, window);
    return window;
  };
  return {
    bytes: source.bytes,
    async readAt(offset, length) {
      const end = Math.min(offset + length, source.bytes);
      const parts: Uint8Array[] = [];
      for (let at = offset; at < end;) {
        const start = at - (at % WINDOW_BYTES);
        const part = (await windowAt(start)).subarray(at - start, end - start);
        parts.push(part);
        at += part.length;
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    },
  };
}

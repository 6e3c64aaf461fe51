/** One operation of a payload: its blob, which was checked, and old blocks become new blocks. */
import type {ByteSource} from '../../formats/byte-source.ts';
import {type Operation, PayloadError} from '../../formats/payload/types.ts';
import {type Compression, type Decompress, DecompressError} from '../../platform/decompress.ts';
import type {XzPool} from '../../platform/xz-pool.ts';
import type {Target} from '../slots/target.ts';
import {ExtentWriter} from './extents.ts';
import {openOldBlocks} from './old-blocks.ts';
import {applyPatch} from './patch.ts';

export interface OperationOptions {
  /** Of the payload; empty when the operation has none. */
  blob: Uint8Array;
  target: Target;
  /** The old partition; null when the payload is full. */
  source: ByteSource | null;
  decompress: Decompress;
  xzPool: XzPool;
  /** Names the operation in messages. */
  what: string;
  signal: AbortSignal;
}

const COPY_BYTES = 1 << 20;

/** Throws PayloadError, errors of the target and of the machine, and the signal's reason. */
export async function applyOperation(operation: Operation, options: OperationOptions): Promise<void> {
  try {
    if (operation.type === 'REPLACE_XZ' && (await fillByPool(operation, options))) return;
    const writer = new ExtentWriter(options.target, operation.dstExtents, options.signal);
    await fill(operation, writer, options);
    await writer.finish();
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof DecompressError)
      throw new PayloadError('bad-data', `${options.what}: ${error.message}`, {cause: error});
    if (error instanceof PayloadError && !error.message.startsWith(options.what))
      throw new PayloadError(error.code, `${options.what}: ${error.message}`, {cause: error});
    throw error;
  }
}

/**
 * False when the pool could not do it. Then the operation is done again from its first block: pieces of another blob may
 * have been among what was written.
 */
async function fillByPool(operation: Operation, options: OperationOptions): Promise<boolean> {
  const {blob, target, signal, xzPool} = options;
  const writer = new ExtentWriter(target, operation.dstExtents, signal);
  try {
    for await (const piece of xzPool.unpack(blob, writer.bytes)) await writer.write(piece);
  } catch (error) {
    if (error instanceof DecompressError && error.code === 'interrupted') return false;
    throw error;
  }
  await writer.finish();
  return true;
}

async function fill(operation: Operation, writer: ExtentWriter, options: OperationOptions): Promise<void> {
  const {blob, decompress, signal} = options;
  const maxBytes = writer.bytes;
  const write = (bytes: Uint8Array): Promise<void> => writer.write(bytes);
  const unpack = async (compression: Compression): Promise<void> => {
    for await (const piece of decompress(compression, blob, {maxBytes, signal})) await write(piece);
  };
  switch (operation.type) {
    case 'REPLACE':
      return write(blob);
    case 'REPLACE_BZ':
      return unpack('bzip2');
    case 'REPLACE_XZ':
      return unpack('xz');
    case 'ZERO':
    // What a discarded block holds is the disk's choice; it is to be zero here, or no hash would match.
    case 'DISCARD':
      return writer.writeZeros();
    case 'SOURCE_COPY':
      return copy(await openOld(operation, options), write);
    case 'SOURCE_BSDIFF':
    case 'BROTLI_BSDIFF':
      return applyPatch(blob, await openOld(operation, options), {decompress, maxBytes, signal}, write);
  }
}

function openOld(operation: Operation, {source, what, signal}: OperationOptions): Promise<ByteSource> {
  if (source === null) throw new PayloadError('unsupported', `${what}: there is no old partition to read`);
  return openOldBlocks(source, operation, {what, signal});
}

async function copy(source: ByteSource, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for (let at = 0; at < source.bytes; at += COPY_BYTES)
    await write(await source.readAt(at, Math.min(COPY_BYTES, source.bytes - at)));
}

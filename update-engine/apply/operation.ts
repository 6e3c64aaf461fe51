/** One operation: from a blob and the old partition to blocks of the new one. */
import {createHash} from 'node:crypto';
import type {ByteSource} from '../../formats/byte-source.ts';
import {type Operation, PayloadError} from '../../formats/payload/types.ts';
import type {Target} from '../slots/target.ts';
import type {Compression, Decompress} from './decompress.ts';
import {bytesOf, extentWriter, readExtents} from './extents.ts';

export interface OperationContext {
  target: Pick<Target, 'writeAt'>;
  /** The old partition; null for a full payload. */
  source: ByteSource | null;
  decompress: Decompress;
  signal: AbortSignal;
  /** For messages: `usr, operation 17`. */
  what: string;
}

const COMPRESSION: Readonly<Partial<Record<Operation['type'], Compression>>> = {
  REPLACE_XZ: 'xz',
  REPLACE_BZ: 'bzip2',
};

/** `blob` has the hash of the manifest. Throws PayloadError, ExecError, errors of target and source. */
export async function runOperation(
  operation: Operation,
  blob: Uint8Array | null,
  context: OperationContext,
): Promise<void> {
  const {signal, what} = context;
  signal.throwIfAborted();
  const writer = extentWriter(context.target, operation.dstExtents);
  switch (operation.type) {
    case 'REPLACE':
    case 'REPLACE_XZ':
    case 'REPLACE_BZ': {
      await writer.write(await unpack(operation, required(blob, what), context));
      return writer.fill();
    }
    case 'ZERO':
    case 'DISCARD':
      return writer.fill();
    case 'SOURCE_COPY': {
      const source = await checkedSource(operation, context);
      for await (const chunk of readExtents(source, operation.srcExtents, what)) {
        signal.throwIfAborted();
        await writer.write(chunk);
      }
      return;
    }
    case 'SOURCE_BSDIFF':
    case 'BROTLI_BSDIFF':
      throw new PayloadError('unsupported', `${what}: ${operation.type}`);
  }
}

async function unpack(
  operation: Operation,
  blob: Uint8Array,
  {decompress, signal, what}: OperationContext,
): Promise<Uint8Array> {
  const room = bytesOf(operation.dstExtents);
  const compression = COMPRESSION[operation.type];
  const data = compression === undefined ? blob : await decompress(compression, blob, room, signal);
  if (data.length > room)
    throw new PayloadError('bad-data', `${what}: ${data.length} bytes of data for ${room} bytes of blocks`);
  return data;
}

/** The old partition, once what the operation reads of it has the hash of the manifest. */
async function checkedSource(
  {srcExtents, srcSha256}: Operation,
  {source, signal, what}: OperationContext,
): Promise<ByteSource> {
  if (source === null)
    throw new PayloadError('bad-operation', `${what} reads the old partition, and there is none`, {
      hint: 'a delta needs the release that it was made from',
    });
  if (srcSha256 === null) return source;
  const hash = createHash('sha256');
  for await (const chunk of readExtents(source, srcExtents, what)) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  if (hash.digest().equals(srcSha256)) return source;
  throw new PayloadError(
    'wrong-hash',
    `${what}: the old partition is not the one that the payload builds on`,
  );
}

function required(blob: Uint8Array | null, what: string): Uint8Array {
  if (blob === null) throw new PayloadError('bad-operation', `${what} has no data`);
  return blob;
}

/** The operations of all partitions in the order of their blobs, each with what it writes to and reads from. */
import type {ByteSource} from '../../formats/byte-source.ts';
import {countBlocks} from '../../formats/payload/coverage.ts';
import {
  BLOCK_BYTES,
  type Operation,
  type PartitionUpdate,
  PayloadError,
} from '../../formats/payload/types.ts';
import type {Target} from '../slots/target.ts';
import {paddedSource} from './extents.ts';
import type {PayloadHead} from './head.ts';
import {hashSource} from './old-blocks.ts';
import type {ApplyOptions} from './options.ts';

export interface PlannedPartition {
  partition: PartitionUpdate;
  target: Target;
  source: ByteSource | null;
  /** Of its first operation, counted through all partitions. */
  firstOperation: number;
}

export interface PlannedOperation {
  operation: Operation;
  of: PlannedPartition;
  /** Within its partition. */
  index: number;
  /** For messages. */
  what: string;
  writtenBytes: number;
}

export interface Plan {
  partitions: readonly PlannedPartition[];
  operations: readonly PlannedOperation[];
}

/** Throws PayloadError when a partition has no place, or not enough room, or its old one is missing or wrong. */
export async function planPayload(
  {manifest}: PayloadHead,
  {targets, sources = {}, signal}: Pick<ApplyOptions, 'targets' | 'sources' | 'signal'>,
): Promise<Plan> {
  const partitions: PlannedPartition[] = [];
  const operations: PlannedOperation[] = [];
  for (const partition of manifest.partitions) {
    const {name} = partition;
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (target === undefined)
      throw new PayloadError('unsupported', `there is no place for partition ${name}`);
    if (target.bytes < partition.newInfo.bytes)
      throw new PayloadError(
        'unsupported',
        `partition ${name} has ${partition.newInfo.bytes} bytes, there is room for ${target.bytes}`,
      );
    const found = Object.hasOwn(sources, name) ? sources[name] : undefined;
    const source = await openSource(partition, found, signal);
    const of = {partition, target, source, firstOperation: operations.length};
    partitions.push(of);
    for (const [index, operation] of partition.operations.entries()) {
      const writtenBytes = countBlocks(operation.dstExtents) * BLOCK_BYTES;
      operations.push({operation, of, index, what: `${name}, operation ${index}`, writtenBytes});
    }
  }
  return {partitions, operations};
}

async function openSource(
  {name, oldInfo, operations}: PartitionUpdate,
  source: ByteSource | undefined,
  signal: AbortSignal,
): Promise<ByteSource | null> {
  if (oldInfo === null) return null;
  const hint = 'this payload is for hosts that run another release; a full payload fits all';
  if (source === undefined)
    throw new PayloadError('unsupported', `the payload changes an old partition ${name}, and there is none`, {
      hint,
    });
  const padded = paddedSource(source, oldInfo.bytes);
  if (padded.bytes < oldInfo.bytes)
    throw new PayloadError(
      'unsupported',
      `the old partition ${name} has ${source.bytes} bytes, expected ${oldInfo.bytes}`,
      {hint},
    );
  const old = {bytes: oldInfo.bytes, readAt: padded.readAt.bind(padded)};
  // Early deltas do not say what each operation reads; then all of it is looked at beforehand.
  const isChecked = operations.every(
    ({srcExtents, srcSha256}) => srcExtents.length === 0 || srcSha256 !== null,
  );
  if (isChecked) return old;
  const found = await hashSource(old, `old partition ${name}`, signal);
  if (found.equals(oldInfo.sha256)) return old;
  throw new PayloadError(
    'wrong-hash',
    `the old partition ${name} has SHA-256 ${found.toString('hex')}, expected ${Buffer.from(oldInfo.sha256).toString('hex')}`,
    {hint},
  );
}

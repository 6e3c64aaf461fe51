/** What a manifest amounts to: for people who look into a payload, and for figures. */
import {countBlocks} from './coverage.ts';
import {BLOCK_BYTES, type Manifest, type OperationType, type PartitionUpdate} from './types.ts';

export interface OperationSum {
  type: OperationType;
  operations: number;
  /** Of their blobs. */
  blobBytes: number;
  /** That they write. */
  writtenBytes: number;
}

export interface PartitionSummary {
  name: string;
  version: string | null;
  bytes: number;
  sha256: string;
  old: {bytes: number; sha256: string} | null;
  /** Of all its operations. */
  blobBytes: number;
  operations: readonly OperationSum[];
  /** Computed by the host, not sent. */
  hashTree: {dataBytes: number; treeBytes: number; treeOffset: number; salt: string} | null;
}

export function summarizePartition({
  name,
  version,
  newInfo,
  oldInfo,
  operations,
  hashTree,
}: PartitionUpdate): PartitionSummary {
  const sums = new Map<OperationType, OperationSum>();
  for (const {type, data, dstExtents} of operations) {
    const sum = sums.get(type) ?? {type, operations: 0, blobBytes: 0, writtenBytes: 0};
    sums.set(type, {
      type,
      operations: sum.operations + 1,
      blobBytes: sum.blobBytes + (data?.bytes ?? 0),
      writtenBytes: sum.writtenBytes + countBlocks(dstExtents) * BLOCK_BYTES,
    });
  }
  return {
    name,
    version,
    bytes: newInfo.bytes,
    sha256: hex(newInfo.sha256),
    old: oldInfo === null ? null : {bytes: oldInfo.bytes, sha256: hex(oldInfo.sha256)},
    blobBytes: operations.reduce((sum, {data}) => sum + (data?.bytes ?? 0), 0),
    operations: [...sums.values()].sort((a, b) => b.writtenBytes - a.writtenBytes),
    hashTree:
      hashTree === null
        ? null
        : {
            dataBytes: hashTree.data.blocks * BLOCK_BYTES,
            treeBytes: hashTree.tree.blocks * BLOCK_BYTES,
            treeOffset: hashTree.tree.startBlock * BLOCK_BYTES,
            salt: hex(hashTree.salt),
          },
  };
}

export function isFullPayload({minorVersion}: Manifest): boolean {
  return minorVersion === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

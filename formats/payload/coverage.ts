/** Extents against the partition that they lie in. */
import {type Extent, PayloadError} from './types.ts';

export function countBlocks(extents: readonly Extent[]): number {
  return extents.reduce((sum, {blocks}) => sum + blocks, 0);
}

/** Throws PayloadError 'bad-operation' for an extent that is empty or reaches beyond the partition. */
export function requireInside(extents: readonly Extent[], partitionBlocks: number, what: string): void {
  for (const {startBlock, blocks} of extents) {
    // A subtraction, because the sum of two numbers below 2^53 need not be exact.
    if (blocks > 0 && startBlock <= partitionBlocks && blocks <= partitionBlocks - startBlock) continue;
    throw new PayloadError(
      'bad-operation',
      `${what}: ${blocks} blocks from ${startBlock} on, the partition has ${partitionBlocks}`,
    );
  }
}

/**
 * Throws PayloadError 'bad-operation' unless the extents, which lie inside, cover every block once. By sorting, so that
 * the cost depends on the manifest and not on the size of partition that it claims.
 */
export function checkCoverage(extents: readonly Extent[], partitionBlocks: number, name: string): void {
  let next = 0;
  for (const {startBlock, blocks} of [...extents].sort((a, b) => a.startBlock - b.startBlock)) {
    if (startBlock < next)
      throw new PayloadError('bad-operation', `${name}: block ${startBlock} is written twice`);
    if (startBlock > next) throw new PayloadError('bad-operation', `${name}: block ${next} is never written`);
    next += blocks;
  }
  if (next !== partitionBlocks)
    throw new PayloadError('bad-operation', `${name}: block ${next} is never written`);
}

/** The last word: each partition is read back from the medium, and hashes to what the signed manifest says. */
import {windowOf} from '../../formats/byte-source.ts';
import {hashSource} from './old-blocks.ts';
import type {PlannedPartition} from './plan.ts';
import {SuspectError} from './suspect.ts';

/** Throws SuspectError 'wrong-hash', or an error of the target. */
export async function checkPartitions(
  partitions: readonly PlannedPartition[],
  signal: AbortSignal,
): Promise<void> {
  for (const {
    partition: {name, newInfo},
    target,
  } of partitions) {
    await target.settle();
    const written = windowOf(target, 0, newInfo.bytes);
    const found = await hashSource(written, `partition ${name}`, signal);
    if (found.equals(newInfo.sha256)) continue;
    throw new SuspectError(
      'wrong-hash',
      `partition ${name} has SHA-256 ${found.toString('hex')}, expected ${Buffer.from(newInfo.sha256).toString('hex')}`,
    );
  }
}

/** The dm-verity tree of a partition, which payloads leave out because a host can compute what cannot be compressed. */
import {type HashTree, BLOCK_BYTES, PayloadError} from '../../formats/payload/types.ts';
import {VerityTree} from '../../formats/verity.ts';
import {type Target, sourceOfTarget} from '../slots/target.ts';
import {bytesOf, extentWriter, readExtents} from './extents.ts';

/** Reads the data back, which the operations wrote in any order, and writes its tree. Throws PayloadError. */
export async function writeHashTree(
  target: Target,
  {data, tree, salt}: HashTree,
  signal: AbortSignal,
): Promise<void> {
  const verity = new VerityTree({salt});
  for await (const chunk of readExtents(sourceOfTarget(target), [data], 'data of the hash tree')) {
    signal.throwIfAborted();
    verity.update(chunk);
  }
  const made = verity.finish().tree;
  if (made.length !== bytesOf([tree]))
    throw new PayloadError(
      'bad-manifest',
      `the hash tree of ${data.blocks} blocks has ${made.length / BLOCK_BYTES} blocks, the manifest says ${tree.blocks}`,
    );
  await extentWriter(target, [tree]).write(made);
}

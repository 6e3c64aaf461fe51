/** Reads whole partitions back and compares them with the manifest; for payloads that go into files, or nowhere. */
import {createHash} from 'node:crypto';
import {readExactly} from '../../formats/byte-source.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import {MIB} from '../../formats/units.ts';
import {type Target, sourceOfTarget} from '../slots/target.ts';

const CHUNK_BYTES = 4 * MIB;

/** From the medium, not from memory. Throws PayloadError 'wrong-hash'. */
export async function checkPartitions(
  {partitions}: Manifest,
  targets: Readonly<Record<string, Target>>,
  signal: AbortSignal,
): Promise<void> {
  for (const {name, newInfo} of partitions) {
    const target = targets[name];
    if (target === undefined) throw new PayloadError('unsupported', `partition ${name} was written nowhere`);
    await target.settle();
    const hash = createHash('sha256');
    for (let at = 0; at < newInfo.bytes; at += CHUNK_BYTES) {
      signal.throwIfAborted();
      hash.update(
        await readExactly(sourceOfTarget(target), at, Math.min(CHUNK_BYTES, newInfo.bytes - at), name),
      );
    }
    const digest = hash.digest();
    if (!digest.equals(newInfo.sha256))
      throw new PayloadError(
        'wrong-hash',
        `partition ${name} reads back with SHA-256 ${digest.toString('hex')}, not ${Buffer.from(newInfo.sha256).toString('hex')}`,
      );
  }
}

/**
 * The other copy of the partition table, put right when it is damaged or says something else: what a power cut in the
 * middle of a write leaves, or a disk that forgets. As long as only one copy is sound the next such fault costs the host.
 *
 * Left alone unless it is certain which table counts, for everyone who reads it: the selector, this program, the kernel.
 */
import type {GptReading} from '../../formats/gpt/decode.ts';
import {type SlotLetter, findSlot} from '../../formats/gpt/slots.ts';
import type {GptErrorCode} from '../../formats/gpt/types.ts';
import {readGpt, writeGpt} from '../../platform/gpt-disk.ts';
import type {SlotDisk} from './slot-disk.ts';
import {describeBits} from './table-changes.ts';

export interface TableRepair {
  readonly outcome: 'repaired' | 'left';
  /** What was found, and what was done about it or why not. */
  readonly detail: string;
}

/** Faults that the selector finds as well: its checks end with the CRCs, ours go on to what the entries say. */
const PLAIN_DAMAGE: readonly GptErrorCode[] = [
  'bad-signature',
  'bad-revision',
  'bad-header-size',
  'bad-header-crc',
  'bad-location',
  'bad-entries-crc',
];

/**
 * One write of the table, by the same order as every other: the copy that does not count first. Null when both copies are
 * sound and equal; then nothing is written. `active` is the slot that runs. Throws GptError, SlotError when the kernel
 * has other partitions than the table, errors of the disk.
 */
export async function repairTable(disk: SlotDisk, active: SlotLetter): Promise<TableRepair | null> {
  const reading = await disk.useTable('read', readGpt);
  if (reading.agree) return null;
  const found = describeFault(reading);
  const doubt = doubtOf(reading, active);
  if (doubt !== null) return {outcome: 'left', detail: `${found}; not repaired: ${doubt}`};
  // Each of them is found by what the table says, and refused when the kernel says something else.
  for (const partition of ['esp', 'A', 'B'] as const)
    await disk.usePartition(partition, 'read', () => Promise.resolve());
  return disk.useTable('write', async (whole) => {
    const now = await readGpt(whole);
    if (now.agree) return null;
    const again = doubtOf(now, active);
    if (again !== null) return {outcome: 'left', detail: `${found}; not repaired: ${again}`};
    const lost = now.source === 'primary' ? 'backup' : 'primary';
    await writeGpt(whole, now.table, lost);
    return {outcome: 'repaired', detail: `${found}; the ${lost} was written anew from the ${now.source}`};
  });
}

/** Why nobody should choose between the copies; null when the choice is plain. */
function doubtOf({table, primary, backup}: GptReading, active: SlotLetter): string | null {
  if (!primary.valid && !PLAIN_DAMAGE.includes(primary.error.code))
    return 'others may take the primary for sound, since its checksums are right';
  if (!backup.valid && backup.error.code === 'unreachable-backup') return 'there is no place for the backup';
  const running = findSlot(table, active);
  // The health check is about to write the whole table, from another process.
  if (!running.successful || running.priority === 0)
    return `the running slot is on trial (${describeBits(running)}), and the verdict on it writes both`;
  return null;
}

function describeFault({primary, backup}: GptReading): string {
  if (!primary.valid) return `the primary partition table was damaged (${primary.error.message})`;
  if (!backup.valid) return `the backup partition table was damaged (${backup.error.message})`;
  return 'the two partition tables differed';
}

/** Changes of the slot bits, each one update of the table: good, given up, back to the other. */
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import type {GptTable} from '../../formats/gpt/types.ts';
import type {Guid} from '../../formats/guid.ts';
import {readGpt, updateGpt} from '../../platform/gpt-disk.ts';
import {SlotError} from './errors.ts';
import {readSlotsNow} from './slots-now.ts';
import type {SlotDisk} from './slot-disk.ts';
import {
  committedTable,
  givenUpTable,
  goodTable,
  isPrepared,
  otherLetter,
  preparedTable,
  rolledBackTable,
} from './table-changes.ts';

/** Before the first byte of a slot changes. Does nothing when that was done already. Throws SlotError 'not-good'. */
export async function prepareSlot(disk: SlotDisk, letter: SlotLetter, randomGuid: Guid): Promise<void> {
  const {table, agree} = await disk.useTable('read', readGpt);
  const prepared = preparedTable(table, letter, randomGuid);
  if (agree && isPrepared(table, letter)) return;
  await disk.useTable('write', (whole) => updateGpt(whole, () => prepared));
}

/**
 * The one write that makes a slot next. When it fails half-way the old table is put back, as far as the disk still
 * takes writes; the error is the first one. Throws SlotError 'mismatch' or 'write-failed'.
 */
export async function commitSlot(disk: SlotDisk, letter: SlotLetter, guid: Guid): Promise<GptTable> {
  const {table} = await disk.useTable('read', readGpt);
  if (!isPrepared(table, letter))
    throw new SlotError('mismatch', `slot ${letter} was changed by somebody else while it was being written`);
  const committed = committedTable(table, letter, guid);
  return disk.useTable('write', async (whole) => {
    try {
      return await updateGpt(whole, () => committed);
    } catch (error) {
      const undone = await updateGpt(whole, () => table).then(
        () => 'the table is what it was',
        () => 'nor could the old table be put back',
      );
      throw new SlotError('write-failed', `slot ${letter} could not be made next; ${undone}`, {
        cause: error,
        retryable: true,
      });
    }
  });
}

/** The running slot passed its checks. */
export async function markGood(disk: SlotDisk, letter: SlotLetter): Promise<void> {
  await change(disk, (table) => goodTable(table, letter));
}

/** The slot is not to be started again. Throws SlotError 'last-slot' when the other one could not be started. */
export async function giveUpSlot(disk: SlotDisk, letter: SlotLetter): Promise<void> {
  await requireLoadable(disk, otherLetter(letter), 'last-slot');
  await change(disk, (table) => givenUpTable(table, letter));
}

/** Makes another slot, known to be good, the next. Throws SlotError 'not-good'. */
export async function rollbackTo(disk: SlotDisk, letter: SlotLetter): Promise<void> {
  const {table} = await disk.useTable('read', readGpt);
  rolledBackTable(table, letter);
  await requireLoadable(disk, letter, 'not-good');
  await change(disk, (current) => rolledBackTable(current, letter));
}

async function change(disk: SlotDisk, edit: (table: GptTable) => GptTable): Promise<void> {
  await disk.useTable('write', (whole) => updateGpt(whole, edit));
}

async function requireLoadable(
  disk: SlotDisk,
  letter: SlotLetter,
  code: 'last-slot' | 'not-good',
): Promise<void> {
  const {slots} = await readSlotsNow(disk);
  const faults = slots.find((slot) => slot.letter === letter)?.faults ?? [`there is no slot ${letter}`];
  if (faults.length > 0) throw new SlotError(code, `slot ${letter} cannot take over: ${faults.join('; ')}`);
}

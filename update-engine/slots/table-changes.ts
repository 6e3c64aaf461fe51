/** What the table becomes at each point of an update: pure, so that the rules stand in one place. */
import {
  type Slot,
  type SlotLetter,
  clearSlot,
  findSlot,
  giveUp,
  makeGoodNext,
  makeNext,
  markSuccessful,
  readSlots,
  setSlotGuid,
} from '../../formats/gpt/slots.ts';
import {selectSlot} from '../../formats/gpt/selection.ts';
import type {GptTable} from '../../formats/gpt/types.ts';
import type {Guid} from '../../formats/guid.ts';
import {SlotError} from './errors.ts';

export function otherLetter(letter: SlotLetter): SlotLetter {
  return letter === 'A' ? 'B' : 'A';
}

/**
 * The slot is about to be overwritten: never a candidate, and under a GUID that nothing looks for. Throws SlotError
 * 'not-good' unless the machine would start the other slot then, and that one is known to be good.
 */
export function preparedTable(table: GptTable, letter: SlotLetter, randomGuid: Guid): GptTable {
  const other = findSlot(table, otherLetter(letter));
  if (!other.successful || other.priority === 0) {
    throw new SlotError(
      'not-good',
      `${other.label} is not known to be good (${describeBits(other)}), so ${findSlot(table, letter).label} ` +
        'must stay what it is',
      {hint: 'wait for the health checks, or see: caissonctl status --explain'},
    );
  }
  return setSlotGuid(clearSlot(table, letter), letter, randomGuid);
}

/** Whether a slot was prepared and nothing has happened to it since. */
export function isPrepared(table: GptTable, letter: SlotLetter): boolean {
  const {priority, tries, successful, partitionGuid} = findSlot(table, letter);
  const isUnique = table.entries.filter((entry) => entry?.uniqueGuid === partitionGuid).length === 1;
  return priority === 0 && tries === 0 && !successful && isUnique;
}

/** The slot is whole, and next. Throws SlotError 'mismatch' when another partition has that GUID. */
export function committedTable(table: GptTable, letter: SlotLetter, guid: Guid): GptTable {
  requireUnusedGuid(table, letter, guid);
  return makeNext(setSlotGuid(table, letter, guid), letter);
}

/** A second /usr with the same root hash: the initrd would take whichever its link happens to name. */
export function requireUnusedGuid(table: GptTable, letter: SlotLetter, guid: Guid): void {
  const {index} = findSlot(table, letter);
  const twin = table.entries.findIndex((entry, at) => at !== index && entry?.uniqueGuid === guid);
  if (twin < 0) return;
  throw new SlotError(
    'mismatch',
    `partition ${twin + 1} has the GUID ${guid} already: the release is installed in the other slot`,
  );
}

export function goodTable(table: GptTable, letter: SlotLetter): GptTable {
  return markSuccessful(table, letter);
}

/** Throws SlotError 'last-slot' when the machine would then have nothing to start but as a last resort. */
export function givenUpTable(table: GptTable, letter: SlotLetter): GptTable {
  const changed = giveUp(table, letter);
  if (selectSlot(readSlots(changed)).kind === 'boot') return changed;
  const other = readSlots(table).find((slot) => slot.letter !== letter);
  throw new SlotError(
    'last-slot',
    `${findSlot(table, letter).label} is the only slot that can be started` +
      (other === undefined ? '' : `; ${other.label} has ${describeBits(other)}`),
  );
}

/** Throws SlotError 'not-good' for a slot that was never good, or was given up. */
export function rolledBackTable(table: GptTable, letter: SlotLetter): GptTable {
  const slot = findSlot(table, letter);
  if (!slot.successful || slot.priority === 0)
    throw new SlotError('not-good', `${slot.label} is not known to be good: ${describeBits(slot)}`);
  return makeGoodNext(table, letter);
}

export function describeBits({priority, tries, successful}: Slot): string {
  return `priority ${priority}, tries left ${tries}, ${successful ? 'successful' : 'not successful'}`;
}

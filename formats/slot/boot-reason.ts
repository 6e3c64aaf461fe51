/** Which slot a machine would start next, in words: the rule of the selector applied to the table of its disk. */
import {type BootPrediction, predictBoot} from '../gpt/selection.ts';
import {type Slot, type SlotLetter, readSlots} from '../gpt/slots.ts';
import type {GptTable} from '../gpt/types.ts';

export interface BootReason {
  kind: BootPrediction['kind'];
  letter: SlotLetter | null;
  /** One sentence without its end. */
  reason: string;
}

/** `unloadable` are the slots whose UKI the firmware could not start. */
export function explainBoot(table: GptTable, unloadable: readonly SlotLetter[]): BootReason {
  const slots = readSlots(table);
  const {kind, letter} = predictBoot(table, unloadable);
  const chosen = slots.find((slot) => slot.letter === letter);
  if (chosen === undefined) {
    const why = slots.map((slot) => `${slot.letter}: ${whyNot(slot, undefined, unloadable)}`).join('; ');
    return {kind, letter, reason: why === '' ? 'the disk has no slot' : `no slot can be started (${why})`};
  }
  const others = slots
    .filter((slot) => slot !== chosen)
    .map((slot) => `${slot.letter}: ${whyNot(slot, chosen, unloadable)}`);
  return {
    kind,
    letter,
    reason: [kind === 'boot' ? why(chosen) : whyLastResort(chosen), ...others].join('; '),
  };
}

function why({priority, tries, successful}: Slot): string {
  if (successful) return `priority ${priority} and known to be good`;
  return `priority ${priority} and on trial, with ${tries - 1} of ${tries} tries left after this one`;
}

function whyLastResort({successful, priority}: Slot): string {
  const known = successful ? 'was good once' : priority > 0 ? `has priority ${priority}` : 'comes first';
  return `no slot qualifies, and this one ${known}`;
}

function whyNot(slot: Slot, chosen: Slot | undefined, unloadable: readonly SlotLetter[]): string {
  if (slot.priority === 0) return 'priority 0';
  if (!slot.successful && slot.tries === 0) return 'no tries left and never good';
  if (unloadable.includes(slot.letter)) return 'its UKI cannot be started';
  if (chosen === undefined) return 'passed over';
  if (slot.priority < chosen.priority) return `lower priority ${slot.priority}`;
  return slot.successful === chosen.successful
    ? `same priority ${slot.priority}, later in the table`
    : `same priority ${slot.priority}, still on trial`;
}

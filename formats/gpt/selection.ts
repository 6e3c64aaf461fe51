/**
 * The rule by which a slot is chosen at boot. The selector in `image/selector/` applies the same rule in C; one table
 * of cases (`test/fixtures/selector-cases.ts`) holds both to it. Here it answers "what would a reboot start".
 */
import {giveUp, readSlots, setSlotBits, type Slot, type SlotLetter} from './slots.ts';
import type {GptTable} from './types.ts';

export type SlotChoice =
  | {
      kind: 'boot';
      slot: Slot;
      /** Tries left once the slot was started: one fewer, unless it is successful. */
      triesAfter: number;
    }
  | {kind: 'none'};

export type LastResort = {kind: 'last-resort'; slot: Slot} | {kind: 'none'};

/**
 * Candidates have a priority above 0 and are successful or have tries left. The highest priority wins, then the
 * successful one, then the lowest partition.
 */
export function selectSlot(slots: readonly Slot[]): SlotChoice {
  const slot = firstOf(
    slots.filter(({priority, successful, tries}) => priority > 0 && (successful || tries > 0)),
    (a, b) => b.priority - a.priority || Number(b.successful) - Number(a.successful),
  );
  if (slot === undefined) return {kind: 'none'};
  return {kind: 'boot', slot, triesAfter: slot.successful ? slot.tries : slot.tries - 1};
}

/**
 * When nothing qualifies a machine is better off with a doubtful system than halted: the last slot known good, that
 * is a successful one if there is any (even at priority 0), then the highest priority, then the lowest partition.
 */
export function selectLastResort(slots: readonly Slot[]): LastResort {
  const slot = firstOf(
    slots,
    (a, b) => Number(b.successful) - Number(a.successful) || b.priority - a.priority,
  );
  return slot === undefined ? {kind: 'none'} : {kind: 'last-resort', slot};
}

export interface BootPrediction {
  /** `none`: the machine would reset and try again. */
  kind: 'boot' | 'last-resort' | 'none';
  letter: SlotLetter | null;
  /** The table as the selector leaves it. */
  table: GptTable;
}

/**
 * What the selector would do with this table, and the table afterwards. `unloadable` are slots whose UKI is missing
 * or broken: each one that is tried goes to priority 0.
 */
export function predictBoot(table: GptTable, unloadable: readonly SlotLetter[] = []): BootPrediction {
  let current = table;
  const failed = new Set<SlotLetter>();
  for (;;) {
    const left = readSlots(current).filter(({letter}) => !failed.has(letter));
    const choice = selectSlot(left);
    const chosen = choice.kind === 'boot' ? choice : selectLastResort(left);
    if (chosen.kind === 'none') return {kind: 'none', letter: null, table: current};
    const {slot} = chosen;
    if (chosen.kind === 'boot') {
      current = setSlotBits(current, slot.letter, {...slot, tries: chosen.triesAfter});
    }
    if (!unloadable.includes(slot.letter)) return {kind: chosen.kind, letter: slot.letter, table: current};
    failed.add(slot.letter);
    current = giveUp(current, slot.letter);
  }
}

/** The first by `compare`; the one with the lowest index among equals, because `slots` come in that order. */
function firstOf(slots: readonly Slot[], compare: (a: Slot, b: Slot) => number): Slot | undefined {
  return [...slots].sort((a, b) => compare(a, b) || a.index - b.index)[0];
}

/**
 * The two USR slots and their bits in the GPT attributes, as ChromeOS and CoreOS have them: priority in bits 48 to
 * 51, tries left in 52 to 55, successful in 56. Every change makes a new table; who holds it writes it once.
 */
import type {Guid} from '../guid.ts';
import {setEntry} from './table.ts';
import {GptError, PARTITION_TYPES, type GptEntry, type GptTable} from './types.ts';

export type SlotLetter = 'A' | 'B';

export interface SlotBits {
  /** 0 (never chosen) to 15. */
  priority: number;
  /** Starts left for a slot that is not yet successful, 0 to 15. */
  tries: number;
  successful: boolean;
}

export interface Slot extends SlotBits {
  letter: SlotLetter;
  /** Of the entry, from 0; the partition number less one. */
  index: number;
  label: string;
  partitionGuid: Guid;
}

/**
 * Starts that a new slot gets before it counts as failed: one, and one to spare for an accident that is not its fault,
 * such as a power cut during the first. Each more would keep a bad release a boot longer.
 */
export const DEFAULT_TRIES = 2;

const MAX_FIELD = 15;
const PRIORITY_SHIFT = 48n;
const TRIES_SHIFT = 52n;
const SUCCESSFUL_SHIFT = 56n;
const SLOT_MASK = 0x1ffn << PRIORITY_SHIFT;
const EMPTY_BITS: SlotBits = {priority: 0, tries: 0, successful: false};

export function readSlotBits(attributes: bigint): SlotBits {
  return {
    priority: Number((attributes >> PRIORITY_SHIFT) & 0xfn),
    tries: Number((attributes >> TRIES_SHIFT) & 0xfn),
    successful: ((attributes >> SUCCESSFUL_SHIFT) & 1n) === 1n,
  };
}

/** The attributes with these bits and all others as they were. Throws GptError when a value is not 0 to 15. */
export function writeSlotBits(attributes: bigint, bits: SlotBits): bigint {
  for (const field of ['priority', 'tries'] as const) {
    const value = bits[field];
    if (!Number.isInteger(value) || value < 0 || value > MAX_FIELD) {
      throw new GptError('bad-slot-bits', `${field} must be 0 to ${MAX_FIELD}, got ${value}`);
    }
  }
  return (
    (attributes & ~SLOT_MASK) |
    (BigInt(bits.priority) << PRIORITY_SHIFT) |
    (BigInt(bits.tries) << TRIES_SHIFT) |
    (BigInt(bits.successful ? 1 : 0) << SUCCESSFUL_SHIFT)
  );
}

/** Partition label of a slot. */
export function slotLabel(letter: SlotLetter): string {
  return `USR-${letter}`;
}

/** Name of a slot's UKI in `EFI/caisson` on the ESP. */
export function slotUkiName(letter: SlotLetter): string {
  return `usr-${letter.toLowerCase()}.efi`;
}

/**
 * The slots of a table in index order: partitions of the DPS `/usr` type labelled `USR-A` or `USR-B`. Any other of
 * that type is somebody else's; of two with one label the first counts. The selector reads them alike.
 */
export function readSlots(table: GptTable): Slot[] {
  const slots: Slot[] = [];
  for (const [index, entry] of table.entries.entries()) {
    if (entry?.typeGuid !== PARTITION_TYPES.usrX86_64) continue;
    const letter = entry.name === 'USR-A' ? 'A' : entry.name === 'USR-B' ? 'B' : null;
    if (letter === null || slots.some((slot) => slot.letter === letter)) continue;
    const bits = readSlotBits(entry.attributes);
    slots.push({letter, index, label: entry.name, partitionGuid: entry.uniqueGuid, ...bits});
  }
  return slots;
}

/** Throws GptError when the table has no such slot. */
export function findSlot(table: GptTable, letter: SlotLetter): Slot {
  const slot = readSlots(table).find((candidate) => candidate.letter === letter);
  if (slot === undefined) {
    throw new GptError('no-slot', `the partition table has no ${slotLabel(letter)} partition`);
  }
  return slot;
}

/** The table with the bits of one slot set. */
export function setSlotBits(table: GptTable, letter: SlotLetter, bits: SlotBits): GptTable {
  return editSlot(table, letter, (entry) => ({
    ...entry,
    attributes: writeSlotBits(entry.attributes, bits),
  }));
}

/** The table with another partition GUID for one slot: it follows the verity root hash of what the slot holds. */
export function setSlotGuid(table: GptTable, letter: SlotLetter, partitionGuid: Guid): GptTable {
  return editSlot(table, letter, (entry) => ({...entry, uniqueGuid: partitionGuid}));
}

/**
 * The running slot passed its checks. It needs no tries any more, and a priority if it was started as last resort.
 * Priorities stay otherwise: an update that is waiting in the other slot remains next.
 */
export function markSuccessful(table: GptTable, letter: SlotLetter): GptTable {
  const {priority} = findSlot(table, letter);
  return setSlotBits(table, letter, {priority: Math.max(priority, 1), tries: 0, successful: true});
}

/** The slot is about to be overwritten: never a candidate, and not the last one known good either. */
export function clearSlot(table: GptTable, letter: SlotLetter): GptTable {
  return setSlotBits(table, letter, EMPTY_BITS);
}

/** The slot is the one to start next, on trial. */
export function makeNext(table: GptTable, letter: SlotLetter, tries = DEFAULT_TRIES): GptTable {
  return putFirst(table, letter, {tries, successful: false});
}

/** The slot is the one to start next, because it is known to be good. */
export function makeGoodNext(table: GptTable, letter: SlotLetter): GptTable {
  return putFirst(table, letter, {tries: 0, successful: true});
}

/**
 * Priorities are renumbered from 1 with their order kept, so that they never pass 15 however many updates a machine
 * sees; slots with priority 0 stay there.
 */
function putFirst(table: GptTable, letter: SlotLetter, bits: Omit<SlotBits, 'priority'>): GptTable {
  findSlot(table, letter);
  const others = readSlots(table).filter((slot) => slot.letter !== letter && slot.priority > 0);
  const ranks = [...new Set(others.map((slot) => slot.priority))].sort((a, b) => a - b);
  const renumbered = others.reduce(
    (result, slot) => setSlotBits(result, slot.letter, {...slot, priority: ranks.indexOf(slot.priority) + 1}),
    table,
  );
  return setSlotBits(renumbered, letter, {...bits, priority: ranks.length + 1});
}

/** The slot is not to be started again; tries and successful stay for those who ask why. */
export function giveUp(table: GptTable, letter: SlotLetter): GptTable {
  return setSlotBits(table, letter, {...findSlot(table, letter), priority: 0});
}

function editSlot(table: GptTable, letter: SlotLetter, edit: (entry: GptEntry) => GptEntry): GptTable {
  const {index} = findSlot(table, letter);
  const entry = table.entries[index];
  return entry === null || entry === undefined ? table : setEntry(table, index, edit(entry));
}

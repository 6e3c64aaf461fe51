/** The slots of this host for the engine: read often and cheaply, changed by few. */
import type {Guid} from '../../formats/guid.ts';
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import type {SlotRelease} from '../decide.ts';
import {markGood, prepareSlot, rollbackTo} from '../slots/marks.ts';
import {type TableRepair, repairTable} from '../slots/repair.ts';
import type {SlotDisk} from '../slots/slot-disk.ts';
import {type SlotsNow, readSlotsNow} from '../slots/slots-now.ts';

/** A disk, and which of its slots runs. */
export interface RunningDisk {
  readonly disk: SlotDisk;
  readonly active: SlotLetter;
  readonly idle: SlotLetter;
}

export interface HostSlots {
  /** Null on a host that runs from no slot, with the reason for people. */
  readonly place: RunningDisk | null;
  readonly absence: string | null;
  /** A moment old at most: anyone may ask for the status, as often as they like. Null without a disk or a table. */
  look(): Promise<SlotsNow | null>;
  /** What was looked at may have changed. */
  forget(): void;
  /** From the disk, in any case. Throws what readSlotsNow throws. */
  read(): Promise<SlotsNow | null>;
  releases(): Promise<SlotRelease[]>;
  /** Puts the two copies of the table right, when the engine begins and nothing is under way. Never throws. */
  repair(): Promise<void>;
  /** What that came to; null when there was nothing to repair. */
  repaired(): DatedRepair | null;
  markGood(): Promise<void>;
  /** Makes the other slot next. Throws SlotError 'not-good'. */
  pointBack(): Promise<void>;
  /** The running slot is next again, and what was in the other one is no candidate. */
  dropIdle(): Promise<void>;
  pointHere(): Promise<void>;
}

export interface DatedRepair extends TableRepair {
  /** Milliseconds since 1970. */
  readonly at: number;
}

const FRESH_MS = 2000;

export function openHostSlots(
  place: RunningDisk | null,
  absence: string | null,
  tools: {now: () => number; randomGuid: () => Guid; warn: (text: string) => void},
): HostSlots {
  let last: {at: number; slots: Promise<SlotsNow | null>} | null = null;
  let complaint = '';
  let repaired: DatedRepair | null = null;

  async function read(): Promise<SlotsNow | null> {
    return place === null ? null : readSlotsNow(place.disk);
  }

  function look(): Promise<SlotsNow | null> {
    const now = tools.now();
    if (last !== null && now - last.at < FRESH_MS && now >= last.at) return last.slots;
    const slots = read().catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== complaint) tools.warn(`the slots cannot be read: ${text}`);
      complaint = text;
      return null;
    });
    last = {at: now, slots};
    return slots;
  }

  async function change(edit: (place: RunningDisk) => Promise<void>): Promise<void> {
    if (place === null) throw new Error(absence ?? 'this host does not run from a slot');
    try {
      await edit(place);
    } finally {
      last = null;
    }
  }

  async function repair(): Promise<void> {
    if (place === null) return;
    try {
      const found = await repairTable(place.disk, place.active);
      if (found === null) return;
      repaired = {...found, at: tools.now()};
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      repaired = {
        outcome: 'left',
        detail: `the partition table was not repaired: ${reason}`,
        at: tools.now(),
      };
    } finally {
      last = null;
    }
    tools.warn(repaired.detail);
  }

  return {
    place,
    absence,
    look,
    forget() {
      last = null;
    },
    read,
    repair,
    repaired: () => repaired,
    async releases() {
      const slots = (await read())?.slots ?? [];
      return slots.map(({letter, successful, priority, uki, faults}) => ({
        letter,
        isRunning: letter === place?.active,
        // A slot that could not take over is not worth keeping, whatever its bits say.
        isGood: successful && (letter === place?.active || (priority > 0 && faults.length === 0)),
        version: uki.kind === 'uki' ? uki.version : null,
      }));
    },
    markGood: () => change(({disk, active}) => markGood(disk, active)),
    pointBack: () => change(({disk, idle}) => rollbackTo(disk, idle)),
    pointHere: () => change(({disk, active}) => rollbackTo(disk, active)),
    dropIdle: () => change(({disk, idle}) => prepareSlot(disk, idle, tools.randomGuid())),
  };
}

/** The running slot, as far as the health check has to do with it. */
import {type Slot, readSlots} from '../../formats/gpt/slots.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {SlotError} from '../slots/errors.ts';
import {type HostDisk, findHostDisk} from '../slots/host-disk.ts';
import {giveUpSlot, markGood} from '../slots/marks.ts';
import {type Standing, standingOf} from './trial.ts';

export interface RunningSlot {
  disk: HostDisk;
  slot: Slot;
  standing: Standing;
}

/** Null when this host runs from no slot. Throws SlotError, GptError, and what reading a disk throws. */
export async function findRunningSlot(): Promise<RunningSlot | null> {
  let disk: HostDisk;
  try {
    disk = await findHostDisk();
  } catch (error) {
    if (error instanceof SlotError && error.code === 'no-slot') return null;
    throw error;
  }
  const {table} = await disk.useTable('read', readGpt);
  const slot = readSlots(table).find(({letter}) => letter === disk.active);
  if (slot === undefined)
    throw new SlotError('bad-disk', `slot ${disk.active} has left the table of ${disk.path}`);
  return {disk, slot, standing: standingOf(table, disk.active)};
}

/** One write of the table; none when the slot is marked already. */
export async function markRunningGood({disk, slot}: RunningSlot): Promise<void> {
  if (slot.successful && slot.priority > 0) return;
  await markGood(disk, slot.letter);
}

/** One write of the table. False, and nothing written, when the other slot could not take over. */
export async function giveRunningUp({disk, slot}: RunningSlot): Promise<boolean> {
  try {
    await giveUpSlot(disk, slot.letter);
    return true;
  } catch (error) {
    if (error instanceof SlotError && error.code === 'last-slot') return false;
    throw error;
  }
}

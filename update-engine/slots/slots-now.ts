/** What the disk of this host holds now, and what a reboot would start: for status, and before slots are changed. */
import {type Slot, type SlotLetter, readSlots} from '../../formats/gpt/slots.ts';
import {type BootReason, explainBoot} from '../../formats/slot/boot-reason.ts';
import {inspectEsp} from '../../formats/slot/esp-facts.ts';
import {type UkiState, type UsrState, findMismatches, inspectUsr} from '../../formats/slot/parts.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import type {SlotDisk} from './slot-disk.ts';
import {sourceOfTarget} from './target.ts';

export interface SlotNow extends Slot {
  uki: UkiState;
  usr: UsrState;
  /** Why it would not come up; empty when nothing speaks against it. */
  faults: string[];
}

export interface SlotsNow {
  slots: SlotNow[];
  boot: BootReason;
  /** Of the ESP and the table: what an operator should look at. */
  problems: string[];
}

/** Reads headers and the top of each verity tree, not all of /usr. Throws GptError when there is no table. */
export async function readSlotsNow(disk: SlotDisk): Promise<SlotsNow> {
  const {table, primary, backup, agree} = await disk.useTable('read', readGpt);
  const esp = await disk.usePartition('esp', 'read', (target) => inspectEsp(sourceOfTarget(target)));
  const slots: SlotNow[] = [];
  for (const slot of readSlots(table)) {
    const uki = esp.ukis[slot.letter];
    const usr = await disk.usePartition(slot.letter, 'read', (target) => inspectUsr(sourceOfTarget(target)));
    slots.push({...slot, uki, usr, faults: findMismatches(uki, usr, slot.partitionGuid)});
  }
  const unloadable = slots.filter(({uki}) => !isLoadable(uki)).map(({letter}): SlotLetter => letter);
  const problems = esp.problems.map((problem) => `ESP: ${problem}`);
  if (!primary.valid) problems.push(`the primary partition table is damaged: ${primary.error.message}`);
  if (!backup.valid) problems.push(`the backup partition table is damaged: ${backup.error.message}`);
  if (primary.valid && backup.valid && !agree) problems.push('the two partition tables differ');
  return {slots, boot: explainBoot(table, unloadable), problems};
}

/** Whether the firmware would start it, whatever happens then. */
export function isLoadable(uki: UkiState): boolean {
  return uki.kind === 'uki' || (uki.kind === 'damaged' && uki.isLoadable);
}

/**
 * The order on disk in which a release is installed, as data, and the one function that executes it. The tests of power
 * cuts and faults are made from the same list, so that a step added here is a step tested there. docs/update.md says
 * for each step what a power cut leaves.
 */
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import type {Guid} from '../../formats/guid.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {type CheckedSlot, type NewRelease, checkSlot} from './check-slot.ts';
import {SlotError} from './errors.ts';
import {commitSlot, prepareSlot} from './marks.ts';
import type {SlotDisk} from './slot-disk.ts';
import {preparedTable, requireUnusedGuid} from './table-changes.ts';
import {type Target, preparedTarget} from './target.ts';
import {checkUki, roomForUki, writeUki} from './write-uki.ts';

export const INSTALL_STEPS = [
  {
    name: 'look',
    writes: 'nothing',
    what: 'the running slot is good, the ESP is sound, how much room there is',
  },
  {name: 'clear-slot', writes: 'table', what: 'the idle slot is no candidate any more, under a random GUID'},
  {name: 'write-usr', writes: 'usr', what: 'the payload goes into the idle slot'},
  {
    name: 'check-usr',
    writes: 'nothing',
    what: '/usr is read back: SHA-256, verity, and whether the UKI wants it',
  },
  {
    name: 'write-uki',
    writes: 'esp',
    what: 'the UKI goes to the ESP, switched by one sector of the directory',
  },
  {name: 'check-uki', writes: 'nothing', what: 'the UKI is read back through the directory: SHA-256'},
  {name: 'commit', writes: 'table', what: 'GUID and bits make the slot next, on trial'},
] as const;

export type InstallStep = (typeof INSTALL_STEPS)[number]['name'];

/** What fits. */
export interface SlotRoom {
  usrBytes: number;
  /** Beside the UKI that is there; leftovers count as free. */
  ukiBytes: number;
}

export interface InstallOptions {
  disk: SlotDisk;
  /** The idle slot. */
  letter: SlotLetter;
  randomGuid: () => Guid;
  /** Milliseconds since 1970, for the time of the file on the ESP. */
  now: number;
  signal: AbortSignal;
  /**
   * Writes /usr to the target, flushed or not, and gives what should be there now. The slot is cleared with the first
   * write, so that a payload which is refused before costs nothing. It may find the slot written in part by an earlier
   * call. Call `requireRoom` as soon as the sizes are known.
   */
  fill(usr: Target, room: SlotRoom): Promise<NewRelease>;
  /** Everything is in place but the slot is not next yet: the moment to write down what comes. */
  beforeCommit?(checked: CheckedSlot): Promise<void>;
  /** Each step begins. */
  onStep?(step: InstallStep): void;
}

/**
 * Installs a release into the idle slot. May be called again after any failure or power cut, and then succeeds. Throws
 * SlotError, FatError, GptError, whatever `fill` throws, or an error of the operating system; the running slot stays
 * next in every case.
 */
export async function installRelease(options: InstallOptions): Promise<CheckedSlot> {
  const {disk, letter, now, signal} = options;
  const onStep = (step: InstallStep): void => options.onStep?.(step);
  const prepare = (): Promise<void> => prepareSlot(disk, letter, options.randomGuid());
  onStep('look');
  const room = await look(options);
  const {release, checked} = await disk.usePartition(letter, 'write', async (usr) => {
    const target = preparedTarget(usr, async () => {
      onStep('clear-slot');
      await prepare();
      onStep('write-usr');
    });
    const filled = await options.fill(target, room);
    requireRoom(room, {usrBytes: filled.usr.bytes, ukiBytes: filled.uki.source.bytes});
    onStep('check-usr');
    return {release: filled, checked: await checkSlot(usr, filled, signal)};
  });
  requireUnusedGuid((await disk.useTable('read', readGpt)).table, letter, checked.partitionGuid);
  // An earlier call may have written all of /usr, so that this one did not write and clear it.
  await prepare();
  await disk.usePartition('esp', 'write', async (esp) => {
    onStep('write-uki');
    await writeUki(esp, letter, release.uki, {now, signal});
    onStep('check-uki');
    await checkUki(esp, letter, release.uki.sha256, signal);
  });
  signal.throwIfAborted();
  await options.beforeCommit?.(checked);
  signal.throwIfAborted();
  onStep('commit');
  await commitSlot(disk, letter, checked.partitionGuid);
  return checked;
}

/** Throws SlotError 'no-room'. */
export function requireRoom(room: SlotRoom, needed: SlotRoom): void {
  if (needed.usrBytes > room.usrBytes) {
    throw new SlotError(
      'no-room',
      `/usr of the release has ${needed.usrBytes} bytes, its partition only ${room.usrBytes}`,
    );
  }
  if (needed.ukiBytes > room.ukiBytes) {
    throw new SlotError(
      'no-room',
      `the UKI has ${needed.ukiBytes} bytes, the EFI system partition has room for ${room.ukiBytes}`,
      {hint: 'remove files from it that are not those of the system'},
    );
  }
}

async function look({disk, letter, randomGuid}: InstallOptions): Promise<SlotRoom> {
  const {table} = await disk.useTable('read', readGpt);
  preparedTable(table, letter, randomGuid());
  const usrBytes = await disk.usePartition(letter, 'read', ({bytes}) => Promise.resolve(bytes));
  const ukiBytes = await disk.usePartition('esp', 'read', (esp) => roomForUki(esp, letter));
  return {usrBytes, ukiBytes};
}

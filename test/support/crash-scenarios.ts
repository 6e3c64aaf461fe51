/** The operations on slots that power may interrupt, each with a disk on which it begins. */
import {findSlot} from '../../formats/gpt/slots.ts';
import {giveUpSlot, markGood, rollbackTo} from '../../update-engine/slots/marks.ts';
import {engineInstall} from './crash-install.ts';
import {type Scenario, sha256} from './crash-matrix.ts';
import type {RecordingDisk} from './recording-disk.ts';
import type {BitsOfSlots} from './slot-disk.ts';
import {peFile} from './uki-file.ts';
import {type SmallRelease, machineDisk} from './update-world.ts';

export interface CrashReleases {
  older: SmallRelease;
  old: SmallRelease;
  fresh: SmallRelease;
}

/** What an ESP holds, for those who make one with real tools. */
export interface EspFiles {
  selector: Buffer;
  ukis: Partial<Record<'A' | 'B', Buffer>>;
}

const SELECTOR = peFile([['.text', 'selector']]);

export async function crashScenarios(
  releases: CrashReleases,
  makeEsp?: (files: EspFiles) => Promise<Buffer>,
): Promise<Scenario[]> {
  const {older, old, fresh} = releases;
  const scenario = async (
    name: string,
    slots: BitsOfSlots,
    held: Partial<Record<'A' | 'B', SmallRelease>>,
    rest: Pick<Scenario, 'run' | 'outcome'>,
  ): Promise<Scenario> => {
    const ukis = Object.fromEntries(Object.entries(held).map(([letter, {uki}]) => [letter, uki]));
    const esp = await makeEsp?.({selector: SELECTOR, ukis});
    const start = machineDisk({slots, releases: held, ...(esp === undefined ? {} : {esp})});
    return {name, start, selectorSha256: sha256(SELECTOR), ...rest};
  };
  const starting =
    (before: string, after: string): Scenario['outcome'] =>
    ({version}) =>
      version === before ? 'old' : version === after ? 'new' : undefined;
  const install = {run: engineInstall(fresh), outcome: starting(old.version, fresh.version)};
  const change =
    (action: (disk: RecordingDisk) => Promise<void>) =>
    async (disk: RecordingDisk): Promise<void> => {
      disk.step = 'change';
      await action(disk);
    };
  return [
    await scenario(
      'the first update, into an empty slot',
      {A: [1, 0, true], B: [0, 0, false]},
      {A: old},
      install,
    ),
    await scenario(
      'an update over an older release',
      {A: [2, 0, true], B: [1, 0, true]},
      {A: old, B: older},
      install,
    ),
    await scenario(
      'marking the new slot good',
      {A: [1, 0, true], B: [2, 1, false]},
      {A: old, B: fresh},
      {
        run: change((disk) => markGood(disk, 'B')),
        outcome: ({letter}, table) =>
          letter !== 'B' ? undefined : findSlot(table, 'B').successful ? 'new' : 'old',
      },
    ),
    await scenario(
      'giving the new slot up',
      {A: [1, 0, true], B: [2, 1, false]},
      {A: old, B: fresh},
      {
        run: change((disk) => giveUpSlot(disk, 'B')),
        outcome: starting(fresh.version, old.version),
      },
    ),
    await scenario(
      'going back to the other slot',
      {A: [1, 0, true], B: [2, 0, true]},
      {A: old, B: fresh},
      {
        run: change((disk) => rollbackTo(disk, 'A')),
        outcome: starting(fresh.version, old.version),
      },
    ),
  ];
}

/** What lies on the ESP of a disk: the selector, the UKIs, and how well the file system is. */
import type {ByteSource} from '../byte-source.ts';
import {FatError} from '../fat/boot-sector.ts';
import {type FatVolume, openFat} from '../fat/volume.ts';
import type {SlotLetter} from '../gpt/slots.ts';
import {PE_HEAD_BYTES, decodePeSections} from '../pe.ts';
import {ESP_PATHS} from './esp-paths.ts';
import {type UkiState, inspectUki, reasonOf} from './parts.ts';

export interface EspFacts {
  files: {path: string; bytes: number}[];
  ukis: Record<SlotLetter, UkiState>;
  problems: string[];
}

/** `partition` is undefined when the disk has none. */
export async function inspectEsp(partition: ByteSource | undefined): Promise<EspFacts> {
  const problems: string[] = [];
  const volume = await open(partition, problems);
  if (volume === undefined) {
    const unreadable: UkiState = {kind: 'damaged', reason: 'the ESP cannot be read', isLoadable: false};
    return {files: [], ukis: {A: unreadable, B: unreadable}, problems};
  }
  await attempt(problems, async () => problems.push(...(await volume.check())));
  const files = await attempt(problems, () => volume.walk());
  await attempt(problems, async () => {
    const selector = volume.open(await volume.find(ESP_PATHS.selector));
    decodePeSections(await selector.readAt(0, PE_HEAD_BYTES), selector.bytes);
  });
  return {
    files: (files ?? []).filter(({kind}) => kind === 'file').map(({path, bytes}) => ({path, bytes})),
    ukis: {A: await findUki(volume, ESP_PATHS.ukiA), B: await findUki(volume, ESP_PATHS.ukiB)},
    problems: [...new Set(problems)],
  };
}

async function open(partition: ByteSource | undefined, problems: string[]): Promise<FatVolume | undefined> {
  if (partition !== undefined) return attempt(problems, () => openFat(partition));
  problems.push('the disk has no EFI system partition');
  return undefined;
}

async function findUki(volume: FatVolume, path: string): Promise<UkiState> {
  try {
    return await inspectUki(volume.open(await volume.find(path)));
  } catch (error) {
    if (error instanceof FatError && error.code === 'no-such-file') return {kind: 'missing'};
    return {kind: 'damaged', reason: reasonOf(error), isLoadable: false};
  }
}

/** What goes wrong with one file is a line of the report and does not hide the others. */
async function attempt<T>(problems: string[], action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    problems.push(reasonOf(error));
    return undefined;
  }
}

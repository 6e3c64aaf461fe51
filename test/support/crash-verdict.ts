/** What a machine would do with a disk after a power cut, by the selector's rule, and whether that would be all right. */
import {createHash} from 'node:crypto';
import {type ByteSource, windowOf} from '../../formats/byte-source.ts';
import {surveyFat} from '../../formats/fat/survey.ts';
import {openFat} from '../../formats/fat/volume.ts';
import {predictBoot} from '../../formats/gpt/selection.ts';
import {type SlotLetter, findSlot, readSlots} from '../../formats/gpt/slots.ts';
import {type EspFacts, inspectEsp} from '../../formats/slot/esp-facts.ts';
import {ESP_PATHS, ukiPath} from '../../formats/slot/esp-paths.ts';
import {type UsrState, findMismatches, inspectUsr} from '../../formats/slot/parts.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {isLoadable} from '../../update-engine/slots/slots-now.ts';
import {type DiskBase, type DiskImage, RecordingDisk} from './recording-disk.ts';

export interface Verdict {
  /** The slot that starts, and the version in it. */
  letter: SlotLetter | null;
  version: string | undefined;
  unloadable: SlotLetter[];
  /** Why that is not all right; empty when it is. */
  faults: string[];
  /** Of the ESP; leftovers of an interrupted try are. */
  leftovers: string[];
}

/** Leftovers that formats/fat/write-plan.ts speaks of, in words of FatVolume.check. */
const LEFTOVERS = [
  /^the copies of the allocation table differ$/,
  /^\d+ clusters are in use but belong to no file$/,
];

/** By base of the disk, then by what of the partition differs from it. */
const verified = new WeakMap<DiskBase, Map<string, UsrState>>();

/** `selectorSha256` of the selector on the ESP, which nothing may touch. */
export async function judge(image: DiskImage, selectorSha256: string): Promise<Verdict> {
  const disk = new RecordingDisk(image);
  const {table} = await disk.useTable('read', readGpt);
  const place = await disk.placeOf('esp');
  const whole: ByteSource = {
    bytes: image.base.length,
    readAt: (offset, length) => Promise.resolve(image.read(offset, length)),
  };
  const esp = windowOf(whole, place.offset, place.bytes);
  const facts = await inspectEsp(esp);
  const unloadable = readSlots(table)
    .map(({letter}) => letter)
    .filter((letter) => !isLoadable(facts.ukis[letter]));
  const {kind, letter} = predictBoot(table, unloadable);
  const faults = await faultsOfEsp(esp, facts, letter, selectorSha256);
  if (kind !== 'boot' || letter === null)
    return {
      letter,
      version: undefined,
      unloadable,
      faults: [...faults, `the selector says ${kind}`],
      leftovers: [],
    };
  const uki = facts.ukis[letter];
  const {offset, bytes} = await disk.placeOf(letter);
  const usr = await verifiedUsr(image, offset, bytes, windowOf(whole, offset, bytes));
  faults.push(...findMismatches(uki, usr, findSlot(table, letter).partitionGuid));
  const version = uki.kind === 'uki' ? uki.version : undefined;
  return {letter, version, unloadable, faults, leftovers: facts.problems};
}

async function faultsOfEsp(
  esp: ByteSource,
  {problems}: EspFacts,
  letter: SlotLetter | null,
  selectorSha256: string,
): Promise<string[]> {
  // The slot that does not start is the one being written: its UKI may be torn, nothing else.
  const torn = ukiPath(letter === 'A' ? 'B' : 'A');
  const faults = problems.filter(
    (problem) => !problem.includes(torn) && !LEFTOVERS.some((pattern) => pattern.test(problem)),
  );
  await surveyFat(esp, torn).catch((error: unknown) =>
    faults.push(`not to be written again: ${String(error)}`),
  );
  const volume = await openFat(esp);
  const selector = volume.open(await volume.find(ESP_PATHS.selector));
  const digest = createHash('sha256')
    .update(await selector.readAt(0, selector.bytes))
    .digest('hex');
  if (digest !== selectorSha256) faults.push('the selector is not what it was');
  return faults;
}

/** Hashing all of /usr, once for each content. */
async function verifiedUsr(
  image: DiskImage,
  offset: number,
  bytes: number,
  source: ByteSource,
): Promise<UsrState> {
  const ofBase = verified.get(image.base) ?? new Map<string, UsrState>();
  verified.set(image.base, ofBase);
  const key = `${offset} ${image.keyOf(offset, bytes)}`;
  const known = ofBase.get(key);
  if (known !== undefined) return known;
  const state = await inspectUsr(source, {signal: new AbortController().signal, onBytes: () => undefined});
  ofBase.set(key, state);
  return state;
}

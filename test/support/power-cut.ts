/**
 * Every disk that a power cut can leave behind, from a log of writes and flushes: cut before and after each write, in
 * the middle of one (between sectors, and inside a sector), and with any of the writes lost that no flush has covered.
 * What a disk does between two flushes is its own business: it may keep, lose and reorder.
 */
import {type DiskImage, type Recorded, SECTOR, type Scope} from './recording-disk.ts';

export type CutKind =
  /** All writes so far have arrived. */
  | 'between writes'
  | 'torn between sectors'
  | 'torn inside a sector'
  /** Some of the writes that were not flushed yet are lost, whole or in part. */
  | 'unflushed lost';

export interface PowerCut {
  step: string;
  scope: Scope;
  kind: CutKind;
  image: DiskImage;
  /** What was remembered elsewhere before; null for nothing. */
  remembered: unknown;
}

/** How many of the possibilities to take where there are too many. */
export interface CutSampling {
  /** Places between sectors of one write. */
  sectorCuts: number;
  /** Sectors of one write that are torn inside. */
  tornSectors: number;
  /** Random choices of what is lost, for each write. */
  losses: number;
  /** Of the writes to a slot, which are many and alike, every n-th is cut in its middle; all of them before and after. */
  slotStride: number;
}

export const SAMPLED: CutSampling = {sectorCuts: 6, tornSectors: 2, losses: 6, slotStride: 3};
export const WHOLE: CutSampling = {sectorCuts: 70, tornSectors: 12, losses: 40, slotStride: 1};

/** Only before and after a write, and with writes lost as a whole. */
const BOUNDARIES = {sectorCuts: 0, tornSectors: 0, losses: 0} as const;

type Write = Recorded & {kind: 'write'};

/** Of few writes every subset is lost once; of more, some by chance. */
const MAX_SUBSET_WRITES = 6;

export function* powerCuts(
  start: DiskImage,
  log: readonly Recorded[],
  sampling: CutSampling,
  seed: number,
): Generator<PowerCut> {
  const random = randomNumbers(seed);
  const durable = start.clone();
  let pending: Write[] = [];
  let remembered: unknown = null;
  let slotWrites = 0;
  for (const entry of log) {
    if (entry.kind === 'remember') {
      remembered = entry.value;
      continue;
    }
    if (entry.kind === 'flush') {
      for (const write of pending) if (write.scope === entry.scope) apply(durable, write);
      pending = pending.filter(({scope}) => scope !== entry.scope);
      continue;
    }
    const cut = (kind: CutKind, image: DiskImage): PowerCut => ({
      step: entry.step,
      scope: entry.scope,
      kind,
      image,
      remembered,
    });
    const before = withWrites(durable, pending);
    yield cut('between writes', before);
    const isSlot = entry.scope === 'A' || entry.scope === 'B';
    const isWhole = !isSlot || slotWrites++ % sampling.slotStride === 0;
    const taken = isWhole ? sampling : {...sampling, ...BOUNDARIES};
    for (const image of tornBetween(before, entry, taken, random)) yield cut('torn between sectors', image);
    for (const image of tornInside(before, entry, taken, random)) yield cut('torn inside a sector', image);
    pending.push(entry);
    yield cut('between writes', withWrites(durable, pending));
    for (const image of lost(durable, pending, taken, random)) yield cut('unflushed lost', image);
  }
}

function* tornBetween(
  before: DiskImage,
  {offset, bytes}: Write,
  {sectorCuts}: CutSampling,
  random: () => number,
): Generator<DiskImage> {
  const count = Math.ceil(bytes.length / SECTOR);
  for (const cut of choose(count - 1, sectorCuts, random)) {
    const at = (cut + 1) * SECTOR;
    yield withBytes(before, offset, bytes.subarray(0, at));
    yield withBytes(before, offset + at, bytes.subarray(at));
  }
}

/** Inside a sector only bytes that change can be torn: the cuts lie among them. */
function* tornInside(
  before: DiskImage,
  {offset, bytes}: Write,
  {tornSectors}: CutSampling,
  random: () => number,
): Generator<DiskImage> {
  const old = before.read(offset, bytes.length);
  const changed = Array.from({length: Math.ceil(bytes.length / SECTOR)}, (_, sector) => {
    const places: number[] = [];
    for (let at = sector * SECTOR; at < Math.min((sector + 1) * SECTOR, bytes.length); at += 1)
      if (old[at] !== bytes[at]) places.push(at);
    return places;
  }).filter((places) => places.length > 1);
  for (const index of choose(changed.length, tornSectors, random)) {
    const places = changed[index] ?? [];
    const [first = 0, last = 0] = [places[0], places.at(-1)];
    const start = first - (first % SECTOR);
    const end = Math.min(start + SECTOR, bytes.length);
    for (const at of new Set([places[1] ?? last, places[Math.floor(places.length / 2)] ?? last, last])) {
      // The other sectors of the write: none arrived, or all.
      yield withBytes(before, offset + start, bytes.subarray(start, at));
      yield withBytes(before, offset + at, bytes.subarray(at, end));
      const rest = withBytes(before, offset, bytes);
      rest.write(offset + start, old.subarray(start, at));
      yield rest;
    }
  }
}

function* lost(
  durable: DiskImage,
  pending: readonly Write[],
  {losses}: CutSampling,
  random: () => number,
): Generator<DiskImage> {
  const {length} = pending;
  if (length <= MAX_SUBSET_WRITES) {
    for (let subset = 0; subset < 2 ** length - 1; subset += 1)
      yield withWrites(
        durable,
        pending.filter((_, index) => (subset >> index) & 1),
      );
  }
  for (let round = 0; round < losses; round += 1) {
    const image = durable.clone();
    for (const {offset, bytes} of pending)
      for (let at = 0; at < bytes.length; at += SECTOR)
        if (random() < 0.5) image.write(offset + at, bytes.subarray(at, at + SECTOR));
    yield image;
  }
}

function withWrites(image: DiskImage, writes: readonly Write[]): DiskImage {
  const copy = image.clone();
  for (const write of writes) apply(copy, write);
  return copy;
}

function withBytes(image: DiskImage, offset: number, bytes: Uint8Array): DiskImage {
  const copy = image.clone();
  copy.write(offset, bytes);
  return copy;
}

function apply(image: DiskImage, {offset, bytes}: Write): void {
  image.write(offset, bytes);
}

/** All of 0 to `count - 1`, or so many of them: the ends, and others by chance. */
function choose(count: number, wanted: number, random: () => number): number[] {
  if (wanted === 0) return [];
  if (count <= wanted) return Array.from({length: Math.max(count, 0)}, (_, index) => index);
  const chosen = new Set([0, count - 1]);
  while (chosen.size < wanted) chosen.add(Math.floor(random() * count));
  return [...chosen];
}

/** 0 to 1; a linear congruential generator is chance enough for choosing places. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

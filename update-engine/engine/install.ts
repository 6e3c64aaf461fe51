/**
 * One installation, from an offer to a slot that is next: the payload streams into the idle slot, everything is read
 * back, the pending document is written, and one write of the partition table makes it count. The order is that of
 * slots/install.ts; here stands what fills it.
 */
import type {KeyObject} from 'node:crypto';
import {open, rm} from 'node:fs/promises';
import {type ByteSource, windowOf} from '../../formats/byte-source.ts';
import {FatError} from '../../formats/fat/boot-sector.ts';
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import {openFat} from '../../formats/fat/volume.ts';
import type {Guid} from '../../formats/guid.ts';
import {type Manifest, type PartitionUpdate, PayloadError} from '../../formats/payload/types.ts';
import {VerityCheckError} from '../../formats/slot/verity-check.ts';
import {ErofsError} from '../../formats/erofs.ts';
import {ukiPath} from '../../formats/slot/esp-paths.ts';
import {decompress} from '../../platform/decompress.ts';
import {applyPayload} from '../apply/apply.ts';
import type {Candidate} from '../decide.ts';
import type {CheckedSlot} from '../slots/check-slot.ts';
import {SlotError} from '../slots/errors.ts';
import {type InstallStep, type SlotRoom, installRelease, requireRoom} from '../slots/install.ts';
import {type Target, sourceOfTarget, withTarget} from '../slots/target.ts';
import type {ProgressStore} from './progress-store.ts';
import type {RunningDisk} from './host-slots.ts';
import {candidateOf} from './payload-file.ts';

export interface Installation {
  place: RunningDisk;
  keys: readonly KeyObject[];
  /** The payload's bytes from any place on. */
  open: (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Of the whole file; null for a file whose hash nobody gave: its signatures cover all of it. */
  expected: {bytes: number; sha256: Uint8Array} | null;
  /** Throws to refuse a release, by its signed manifest. */
  accept: (candidate: Candidate) => void;
  /** Where the UKI lies until it goes to the ESP. */
  stagedUki: string;
  progress: ProgressStore;
  randomGuid: () => Guid;
  /** Milliseconds since 1970. */
  now: number;
  /** The same, as a clock. */
  clock: () => number;
  signal: AbortSignal;
  onStage: (stage: 'prepared' | 'applied' | 'verified') => void;
  /** Each step on the disk begins. */
  onStep?: (step: InstallStep) => void;
  onProgress: (done: {bytes: number; totalBytes: number}) => void;
  /** All is in place but the table. */
  beforeCommit: (checked: CheckedSlot) => Promise<void>;
}

/** Throws PayloadError, SlotError, FatError, GptError, HttpError, what `accept` throws, errors of the system. */
export async function install(options: Installation): Promise<CheckedSlot> {
  try {
    return await installOnce(options);
  } catch (error) {
    // What reads back wrong may have been written by an earlier run; the next one begins anew.
    if (isWrongContent(error)) await options.progress.clear();
    throw error;
  }
}

function isWrongContent(error: unknown): boolean {
  if (error instanceof VerityCheckError || error instanceof ErofsError) return true;
  return error instanceof SlotError && (error.code === 'wrong-content' || error.code === 'mismatch');
}

async function installOnce(options: Installation): Promise<CheckedSlot> {
  const {place, stagedUki, signal} = options;
  await touch(stagedUki);
  return withStagedUki(stagedUki, (kernel) =>
    installRelease({
      disk: place.disk,
      letter: place.idle,
      randomGuid: options.randomGuid,
      now: options.now,
      signal,
      beforeCommit: options.beforeCommit,
      onStep: (step) => {
        options.onStep?.(step);
        if (step === 'write-uki') options.onStage('verified');
      },
      async fill(usr, room) {
        options.onStage('prepared');
        const {manifest} = await withOldPartitions(place, (sources) =>
          apply(options, room, {usr, kernel}, sources),
        );
        options.onStage('applied');
        const uki = partition(manifest, 'kernel').newInfo;
        const {product, architecture, version} = candidateOf(manifest);
        return {
          usr: partition(manifest, 'usr').newInfo,
          uki: {source: windowOf(sourceOfTarget(kernel), 0, uki.bytes), sha256: uki.sha256},
          product: {id: product ?? '', architecture: architecture ?? '', version},
        };
      },
    }),
  );
}

type Partitions<T> = Readonly<Record<'usr' | 'kernel', T>>;

function apply(
  options: Installation,
  room: SlotRoom,
  targets: Partitions<Target>,
  sources: Readonly<Record<string, ByteSource>>,
): ReturnType<typeof applyPayload> {
  const {open, keys, progress, signal, expected, onProgress} = options;
  return applyPayload({
    open,
    keys,
    targets,
    sources,
    progress,
    ...(expected === null ? {} : {expected}),
    onProgress,
    signal,
    decompress,
    // The check of the slot does, and looks at verity in the same pass.
    readBack: false,
    now: options.clock,
    accept(manifest) {
      options.accept(candidateOf(manifest));
      const [usr, uki] = [partition(manifest, 'usr').newInfo, partition(manifest, 'kernel').newInfo];
      requireRoom(room, {usrBytes: usr.bytes, ukiBytes: uki.bytes});
    },
  });
}

function partition({partitions}: Manifest, name: 'usr' | 'kernel'): PartitionUpdate {
  const found = partitions.find((each) => each.name === name);
  if (found === undefined || partitions.length !== 2) {
    const names = partitions.map((each) => each.name).join(', ');
    throw new PayloadError('bad-manifest', `it has the partitions ${names}, expected usr and kernel`);
  }
  return found;
}

/** More than any UKI: the real bound is the room on the ESP. */
const STAGED_BYTES = 1 << 30;

function withStagedUki<T>(path: string, use: (target: Target) => Promise<T>): Promise<T> {
  return withTarget({path, region: {offset: 0, bytes: STAGED_BYTES}}, 'write', use);
}

/** The running release, for payloads that build on it; a UKI that cannot be found is missed by those only. */
async function withOldPartitions<T>(
  {disk, active}: RunningDisk,
  use: (sources: Readonly<Record<string, ByteSource>>) => Promise<T>,
): Promise<T> {
  return disk.usePartition(active, 'read', (usr) =>
    disk.usePartition('esp', 'read', async (esp) => {
      const kernel = await findUki(sourceOfTarget(esp), active);
      return use({usr: sourceOfTarget(usr), ...(kernel === null ? {} : {kernel})});
    }),
  );
}

async function findUki(esp: ByteSource, letter: SlotLetter): Promise<ByteSource | null> {
  try {
    const volume = await openFat(esp);
    return volume.open(await volume.find(ukiPath(letter)));
  } catch (error) {
    if (error instanceof FatError) return null;
    throw error;
  }
}

async function touch(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  await file.close();
}

/** What an installation leaves behind, once nobody needs it. */
export async function removeLeftovers(stagedUki: string, progress: ProgressStore): Promise<void> {
  await progress.clear();
  await rm(stagedUki, {force: true});
}

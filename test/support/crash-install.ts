/**
 * An update as the engine performs it, on a disk that writes down what is written: a signed payload comes in, its
 * operations go to the slot, and what the engine remembers of them survives the power cut, as it stands on ROOT.
 */
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Installation, install} from '../../update-engine/engine/install.ts';
import type {ProgressStore} from '../../update-engine/engine/progress-store.ts';
import {streamOf} from './apply.ts';
import {type BuiltPayload, type OperationSpec, TEST_KEY, buildPayload} from './payload.ts';
import {extent} from './payload-sample.ts';
import type {RecordingDisk} from './recording-disk.ts';
import {NOW, type SmallRelease, nextGuid} from './update-world.ts';

const BLOCK = 4096;
/** Of one operation, so that a small /usr has several. */
const OPERATION_BLOCKS = 20;
/** So much passes between two looks at the clock: progress is saved after every operation or two. */
const TICK_MS = 2500;

/** What of an interrupted update is on ROOT. */
export interface Remembered {
  readonly progress: unknown;
  /** The UKI, as far as it had come. */
  readonly staged: Uint8Array;
}

export type RunOnDisk = (disk: RecordingDisk, remembered: unknown) => Promise<void>;

/** Installs into B. */
export function engineInstall(release: SmallRelease): RunOnDisk {
  const payload = payloadOf(release);
  return async (disk, remembered) => {
    const folder = await mkdtemp(join(await memoryFolder(), 'crash-install-'));
    const stagedUki = join(folder, 'uki');
    try {
      const before = remembered as Remembered | null;
      await writeFile(stagedUki, before?.staged ?? '');
      await install(installation(disk, payload, stagedUki, before));
    } finally {
      await rm(folder, {recursive: true});
    }
  };
}

function installation(
  disk: RecordingDisk,
  {bytes, sha256}: BuiltPayload,
  stagedUki: string,
  before: Remembered | null,
): Installation {
  let now = NOW;
  return {
    place: {disk, active: 'A', idle: 'B'},
    keys: [TEST_KEY.publicKey],
    open: streamOf(bytes, {piece: 1 << 16}),
    expected: {bytes: bytes.length, sha256},
    accept: () => undefined,
    stagedUki,
    progress: progressOn(disk, stagedUki, before?.progress ?? null),
    randomGuid: nextGuid,
    now: NOW,
    clock: () => (now += TICK_MS),
    signal: new AbortController().signal,
    onStage: () => undefined,
    onStep(step) {
      disk.step = step;
    },
    onProgress: () => undefined,
    beforeCommit: () => Promise.resolve(),
  };
}

/** What is saved goes into the disk's log, where it belongs between the writes. */
function progressOn(disk: RecordingDisk, stagedUki: string, first: unknown): ProgressStore {
  let last = first;
  const keep = async (progress: unknown): Promise<void> => {
    last = progress;
    disk.remember({progress, staged: await readFile(stagedUki)} satisfies Remembered);
  };
  return {
    load: () => Promise.resolve(last),
    save: (progress) => keep(JSON.parse(JSON.stringify(progress))),
    clear: () => keep(null),
    distrust: () => undefined,
    sources: () => Promise.resolve(new Map()),
    noteSource: () => undefined,
  };
}

/** /usr in operations out of order and one of two pieces, its verity tree to be computed; then the UKI. */
function payloadOf({version, usr, uki, dataBlocks, salt}: SmallRelease): BuiltPayload {
  const sent = dataBlocks + 1;
  const runs = Array.from({length: Math.ceil(sent / OPERATION_BLOCKS)}, (_, run) => {
    const from = run * OPERATION_BLOCKS;
    return extent(from, Math.min(OPERATION_BLOCKS, sent - from));
  });
  const [first, second, ...rest] = runs;
  if (first === undefined || second === undefined) throw new Error('/usr is too small for this payload');
  const [last, ...middle] = rest.reverse();
  const places = [[second], ...middle.map((run) => [run]), last === undefined ? [first] : [first, last]];
  const operations = places.map((dst): OperationSpec => {
    const blob = Buffer.concat(
      dst.map(({startBlock, blocks}) => usr.subarray(startBlock * BLOCK, (startBlock + blocks) * BLOCK)),
    );
    return {type: 'REPLACE', blob, dst};
  });
  const treeBlocks = usr.length / BLOCK - sent;
  const kernel = Buffer.alloc(Math.ceil(uki.length / BLOCK) * BLOCK);
  kernel.set(uki);
  const half = Math.ceil(kernel.length / BLOCK / 2);
  const halves = [extent(0, half), extent(half, kernel.length / BLOCK - half)];
  const product = {version: `caisson/x86-64/${version}`};
  return buildPayload([
    {
      ...{name: 'usr', content: usr, operations, ...product},
      hashTree: {data: extent(0, dataBlocks), tree: extent(sent, treeBlocks), algorithm: 'sha256', salt},
    },
    {
      ...{name: 'kernel', content: kernel, ...product},
      operations: halves
        .filter(({blocks}) => blocks > 0)
        .map(({startBlock, blocks}) => ({
          type: 'REPLACE',
          blob: kernel.subarray(startBlock * BLOCK, (startBlock + blocks) * BLOCK),
          dst: [extent(startBlock, blocks)],
        })),
    },
  ]);
}

/** Where a flush costs nothing, if there is such a place: the UKI is flushed at every one of thousands of runs. */
async function memoryFolder(): Promise<string> {
  const info = await stat('/dev/shm').catch(() => null);
  return info?.isDirectory() === true ? '/dev/shm' : tmpdir();
}

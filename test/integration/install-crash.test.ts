/**
 * The power fails at every write of an installation, between sectors of one, inside a sector, and with writes lost that
 * no flush has covered: the disk is then the old one, or none that boots, or wholly installed; and running the installer
 * again installs it.
 */
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {GptError} from '../../formats/gpt/types.ts';
import type {GptReading} from '../../formats/gpt/decode.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {INSTALLER_STEPS} from '../../update-engine/installer/install.ts';
import {DISK_BYTES, OLD_DISK_GUID, oldDisk} from '../support/install-disk.ts';
import {NEW_DISK_GUID, type SmallInstall, smallInstall} from '../support/install-world.ts';
import {type CutSampling, type PowerCut, powerCuts} from '../support/power-cut.ts';
import {DiskImage, RecordingDisk, SECTOR} from '../support/recording-disk.ts';

const MIB = 1024 * 1024;
const SAMPLING: CutSampling = {sectorCuts: 3, tornSectors: 2, losses: 3, slotStride: 1};
/** All partitions of the old disk. */
const OLD = {offset: 3 * MIB, bytes: 4997 * MIB};
const INNER = {offset: MIB, bytes: DISK_BYTES - 2 * MIB};

async function tableOf(image: DiskImage): Promise<GptReading | null> {
  try {
    const diskSectors = BigInt(DISK_BYTES / SECTOR);
    return await readGpt({
      sectorSize: SECTOR,
      diskSectors,
      readAt: (offset, length) => Promise.resolve(image.read(offset, length)),
    });
  } catch (error) {
    if (error instanceof GptError) return null;
    throw error;
  }
}

type State = 'old' | 'none' | 'installed';

describe('an installation whose power fails', () => {
  let install: SmallInstall;
  let done: RecordingDisk;
  let start: DiskImage;
  const states = new Map<string, Set<State>>();
  const samples = new Map<string, PowerCut>();

  before(async () => {
    install = await smallInstall();
    start = new DiskImage(oldDisk());
    done = new RecordingDisk(start.clone());
    await install.run(done);
  });

  async function stateOf({image}: PowerCut): Promise<State> {
    const reading = await tableOf(image);
    if (reading === null) return 'none';
    if (reading.table.diskGuid === OLD_DISK_GUID) {
      assert.equal(image.keyOf(OLD.offset, OLD.bytes), start.keyOf(OLD.offset, OLD.bytes), 'old data');
      return 'old';
    }
    assert.equal(reading.table.diskGuid, NEW_DISK_GUID);
    assert.equal(
      image.keyOf(INNER.offset, INNER.bytes),
      done.image.keyOf(INNER.offset, INNER.bytes),
      'new data',
    );
    return 'installed';
  }

  it('leaves the old disk, none, or a whole one, wherever it fails', async () => {
    let count = 0;
    for (const cut of powerCuts(start, done.log, SAMPLING, 1)) {
      const state = await stateOf(cut).catch((error: unknown) => {
        throw new Error(`${cut.step}, ${cut.kind}`, {cause: error});
      });
      states.set(cut.step, (states.get(cut.step) ?? new Set()).add(state));
      samples.set(`${cut.step} ${cut.kind}`, cut);
      count += 1;
    }
    assert.ok(count > 300, `${count} states`);
    assert.deepEqual([...(states.get('wipe') ?? [])].sort(), ['none', 'old']);
    for (const step of ['write-release', 'write-rest'])
      assert.deepEqual([...(states.get(step) ?? [])], ['none']);
    assert.deepEqual([...(states.get('commit') ?? [])].sort(), ['installed', 'none']);
  });

  it('is made good by another run', async () => {
    assert.ok(samples.size >= 8);
    for (const {image, step, kind} of samples.values()) {
      const again = new RecordingDisk(image.clone());
      await install.run(again);
      assert.equal(again.image.key, done.image.key, `${step}, ${kind}`);
    }
  });

  it('writes in the order that the list says', () => {
    const steps = done.log.flatMap((entry) => (entry.kind === 'remember' ? [] : [entry.step]));
    const order = steps.filter((step, index) => step !== steps[index - 1]);
    assert.deepEqual(
      order,
      INSTALLER_STEPS.map(({name}) => name),
    );
  });

  it('writes the sector that says that there is a table as the very last one', () => {
    const last = done.log.findLast((entry) => entry.kind === 'write');
    assert.ok(last?.kind === 'write');
    assert.deepEqual([last.offset, last.bytes.length], [0, SECTOR]);
  });

  it('takes the table away again when the disk fails while it is written', async () => {
    const disk = new RecordingDisk(start.clone());
    let failing = false;
    disk.before = ({kind, step}) => {
      if (step !== 'commit' || kind !== 'flush' || failing) return;
      failing = true;
      throw Object.assign(new Error('EIO: i/o error, fsync'), {code: 'EIO'});
    };
    await assert.rejects(install.run(disk), /EIO/);
    assert.equal(await tableOf(disk.image), null);
  });

  it('stops between writes, and not in the middle of the table', async () => {
    for (const stopAt of ['write-release', 'check-rest', 'commit'] as const) {
      const stopped = new AbortController();
      const disk = new RecordingDisk(start.clone());
      const run = install.run(disk, {
        signal: stopped.signal,
        onStep: (step) => step === stopAt && stopped.abort(new Error('stopped')),
      });
      if (stopAt === 'commit') await run;
      else await assert.rejects(run, /stopped/);
      const reading = await tableOf(disk.image);
      assert.equal(reading?.table.diskGuid ?? null, stopAt === 'commit' ? NEW_DISK_GUID : null);
    }
  });

  it('never commits what reads back wrong', async () => {
    const disk = new RecordingDisk(start.clone());
    const {offset} = install.plan.selector;
    disk.before = ({step, kind}) => {
      if (step === 'check-rest' && kind === 'flush') disk.image.write(offset, Buffer.from('rot'));
    };
    await assert.rejects(install.run(disk), /the selector reads back wrong/);
    assert.equal(await tableOf(disk.image), null);
  });
});

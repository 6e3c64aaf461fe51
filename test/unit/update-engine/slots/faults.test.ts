import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {readGpt} from '../../../../platform/gpt-disk.ts';
import {SlotError} from '../../../../update-engine/slots/errors.ts';
import {installRelease} from '../../../../update-engine/slots/install.ts';
import {writeUki} from '../../../../update-engine/slots/write-uki.ts';
import {crashScenarios} from '../../../support/crash-scenarios.ts';
import {judge} from '../../../support/crash-verdict.ts';
import {type Operation, RecordingDisk} from '../../../support/recording-disk.ts';
import {
  NOW,
  fakeErofs,
  installOptions,
  machineDisk,
  newReleaseOf,
  smallRelease,
} from '../../../support/update-world.ts';

const releases = {
  older: smallRelease('0.9.0', fakeErofs()),
  old: smallRelease('1.0.0', fakeErofs()),
  fresh: smallRelease('2.0.0', fakeErofs()),
};
const [, scenario] = await crashScenarios(releases);
assert.ok(scenario !== undefined);
const {start, selectorSha256} = scenario;

function failure(code: 'EIO' | 'ENOSPC'): Error {
  return Object.assign(new Error(`${code}: injected`), {code});
}

/** How many operations an installation takes, of each kind. */
async function countOperations(): Promise<Operation[]> {
  const disk = new RecordingDisk(start.clone());
  const operations: Operation[] = [];
  disk.before = (operation) => operations.push(operation);
  await installRelease(installOptions(disk, releases.fresh));
  return operations;
}

function isCausedBy(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === code || isCausedBy(error.cause, code);
}

const operations = await countOperations();

describe('an operation that fails', () => {
  for (const kind of ['read', 'write', 'flush'] as const) {
    for (const isLasting of [false, true]) {
      it(`stops the installation, and the old system stays next: ${kind}, ${isLasting ? 'for good' : 'once'}`, async () => {
        for (const [index, operation] of operations.entries()) {
          if (operation.kind !== kind) continue;
          const disk = new RecordingDisk(start.clone());
          let count = 0;
          disk.before = ({kind: each, scope}) => {
            const isIt =
              count === index || (isLasting && count > index && scope === operation.scope && each === kind);
            count += 1;
            if (isIt) throw failure('EIO');
          };
          const what = `${kind} ${index} (${operation.scope}, ${operation.step})`;
          await assert.rejects(
            installRelease(installOptions(disk, releases.fresh)),
            (error: unknown) => isCausedBy(error, 'EIO'),
            what,
          );
          disk.before = () => undefined;
          const verdict = await judge(disk.image, selectorSha256);
          assert.deepEqual(verdict.faults, [], what);
          // A disk that takes no more writes in the midst of the commit may have the new table in its backup alone.
          const isLost = isLasting && operation.step === 'commit' && kind !== 'read';
          assert.ok(verdict.version === '1.0.0' || (isLost && verdict.version === '2.0.0'), what);
          await installRelease(installOptions(disk, releases.fresh));
          const again = await judge(disk.image, selectorSha256);
          assert.deepEqual([again.faults, again.leftovers, again.version], [[], [], '2.0.0'], what);
        }
      });
    }
  }

  it('puts the old table back when the commit fails between its two copies', async () => {
    const disk = new RecordingDisk(start.clone());
    let writes = 0;
    disk.before = ({kind, scope, step}) => {
      if (kind !== 'write' || scope !== 'table' || step !== 'commit') return;
      writes += 1;
      if (writes === 3) throw failure('EIO');
    };
    await assert.rejects(installRelease(installOptions(disk, releases.fresh)), (error: unknown) => {
      assert.ok(error instanceof SlotError && error.code === 'write-failed' && error.retryable);
      assert.equal(error.message, 'slot B could not be made next; the table is what it was');
      return true;
    });
    const {agree} = await disk.useTable('read', readGpt);
    assert.ok(agree);
  });
});

describe('room', () => {
  it('is asked for before anything changes', async () => {
    const disk = new RecordingDisk(start.clone());
    const large = smallRelease('2.0.0', fakeErofs(), 40_000);
    const isNoRoom = (pattern: RegExp) => (error: unknown) => {
      assert.ok(error instanceof SlotError && error.code === 'no-room', String(error));
      assert.match(error.message, pattern);
      return true;
    };
    await assert.rejects(
      installRelease(installOptions(disk, large)),
      isNoRoom(/the UKI has 4\d+ bytes, the EFI system partition has room for \d+/),
    );
    const huge = smallRelease('2.0.0', fakeErofs(300));
    await assert.rejects(
      installRelease(installOptions(disk, huge)),
      isNoRoom(/\/usr of the release has \d+ bytes, its partition only 1048576/),
    );
    assert.deepEqual(disk.log, []);
  });

  it('on the ESP counts what an interrupted try has left', async () => {
    const disk = new RecordingDisk(start.clone());
    disk.before = ({kind, scope, step}) => {
      if (kind === 'flush' && scope === 'esp' && step === 'write-uki') throw failure('ENOSPC');
    };
    for (let round = 0; round < 20; round += 1)
      await assert.rejects(installRelease(installOptions(disk, releases.fresh)), /ENOSPC/);
    disk.before = () => undefined;
    await installRelease(installOptions(disk, releases.fresh));
    assert.equal((await judge(disk.image, selectorSha256)).version, '2.0.0');
  });
});

describe('installRelease refuses', () => {
  const rejects = async (disk: RecordingDisk, code: string, changes = {}): Promise<void> => {
    await assert.rejects(installRelease(installOptions(disk, releases.fresh, changes)), (error: unknown) => {
      assert.ok(error instanceof SlotError, String(error));
      assert.equal(error.code, code, error.message);
      return true;
    });
  };

  it('while the running slot is not known to be good', async () => {
    for (const bits of [
      [2, 1, false],
      [0, 0, true],
    ] as const) {
      const image = machineDisk({
        slots: {A: bits, B: [1, 0, true]},
        releases: {A: releases.old, B: releases.older},
      });
      const disk = new RecordingDisk(image);
      await rejects(disk, 'not-good');
      assert.deepEqual(disk.log, []);
    }
  });

  it('a /usr or a UKI that is not what the manifest says, and halves of different releases', async () => {
    const {fresh, older} = releases;
    const wrong = Buffer.alloc(32);
    const cases: [string, () => ReturnType<typeof newReleaseOf>][] = [
      ['wrong-content', () => ({...newReleaseOf(fresh), usr: {bytes: fresh.usr.length, sha256: wrong}})],
      ['wrong-content', () => ({...newReleaseOf(fresh), uki: {...newReleaseOf(fresh).uki, sha256: wrong}})],
      ['mismatch', () => ({...newReleaseOf(fresh), uki: newReleaseOf(older).uki})],
      ['mismatch', () => ({...newReleaseOf(fresh), product: {...newReleaseOf(fresh).product, id: 'other'}})],
      [
        'mismatch',
        () => ({...newReleaseOf(fresh), product: {...newReleaseOf(fresh).product, version: '9.9.9'}}),
      ],
      [
        'mismatch',
        () => ({...newReleaseOf(fresh), product: {...newReleaseOf(fresh).product, architecture: 'arm64'}}),
      ],
    ];
    for (const [code, release] of cases) {
      const disk = new RecordingDisk(start.clone());
      const options = installOptions(disk, fresh);
      await rejects(disk, code, {
        fill: async (...given: Parameters<typeof options.fill>) => {
          await options.fill(...given);
          return release();
        },
      });
      assert.equal((await judge(disk.image, selectorSha256)).version, '1.0.0');
    }
  });

  it('the release that runs already', async () => {
    const disk = new RecordingDisk(start.clone());
    await assert.rejects(installRelease(installOptions(disk, releases.old)), /installed in the other slot/);
    assert.equal((await judge(disk.image, selectorSha256)).version, '1.0.0');
  });

  it('to go on when it was told to stop, or when the slot was changed meanwhile', async () => {
    const disk = new RecordingDisk(start.clone());
    const stop = new AbortController();
    const beforeCommit = (): Promise<void> => {
      stop.abort(new Error('enough'));
      return Promise.resolve();
    };
    const options = installOptions(disk, releases.fresh, {signal: AbortSignal.abort(new Error('enough'))});
    await assert.rejects(installRelease(options), /enough/);
    await assert.rejects(
      installRelease({...installOptions(disk, releases.fresh, {signal: stop.signal}), beforeCommit}),
      /enough/,
    );
    assert.equal((await judge(disk.image, selectorSha256)).version, '1.0.0');
  });

  it('a payload before the slot was touched, when fill throws', async () => {
    const disk = new RecordingDisk(start.clone());
    const refuse = (): Promise<never> => Promise.reject(new Error('untrusted'));
    await assert.rejects(installRelease(installOptions(disk, releases.fresh, {fill: refuse})), /untrusted/);
    assert.deepEqual(disk.log, []);
  });

  it('to write a UKI on a damaged ESP', async () => {
    const disk = new RecordingDisk(start.clone());
    const {offset} = await disk.placeOf('esp');
    // The chain of the selector ends nowhere.
    for (const table of [1024, 1536]) disk.image.write(offset + table + 4 * 6, Uint8Array.of(0xf0, 0, 0, 0));
    await assert.rejects(
      installRelease(installOptions(disk, releases.fresh)),
      /FAT32 file system is damaged/,
    );
    const {uki} = newReleaseOf(releases.fresh);
    const {signal} = new AbortController();
    await assert.rejects(
      disk.usePartition('esp', 'write', (esp) => writeUki(esp, 'B', uki, {now: NOW, signal})),
      /FAT32 file system is damaged/,
    );
    assert.deepEqual(disk.log, []);
  });
});

/** Targets on image files: regions, and what fincore (util-linux) says of the page cache after settling. */
import assert from 'node:assert/strict';
import {mkdtemp, open, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {SlotError} from '../../update-engine/slots/errors.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {preparedTarget, withTarget} from '../../update-engine/slots/target.ts';
import {writeSlotDisk} from '../support/slot-disk.ts';
import {skipWithout} from '../support/tool.ts';

const MIB = 1024 * 1024;
const skip = await skipWithout(['fincore', 'dd'], 'util-linux, coreutils');
// Not in memory: tmpfs is all page cache.
const folder = await mkdtemp(join(import.meta.dirname, '../../out/slot-target-')).catch(() =>
  mkdtemp(join(tmpdir(), 'slot-target-')),
);
after(() => rm(folder, {recursive: true}));

describe('a target', {skip}, () => {
  it('forgets what it has in memory', async () => {
    const path = join(folder, 'settle');
    await writeFile(path, Buffer.alloc(4 * MIB, 1));
    await withTarget({path, region: {offset: MIB, bytes: 2 * MIB}}, 'write', async (target) => {
      await target.writeAt(0, Buffer.alloc(2 * MIB, 2));
      assert.ok((await cachedBytes(path)) >= 2 * MIB);
      await target.settle();
      assert.equal(await cachedBytes(path), 0);
      assert.deepEqual(Buffer.from(await target.readAt(2 * MIB - 4, 100)), Buffer.alloc(4, 2));
    });
    const content = await readFile(path);
    assert.deepEqual([content[MIB - 1], content[MIB], content[3 * MIB - 1], content[3 * MIB]], [1, 2, 2, 1]);
  });

  it('writes nothing outside of its region', async () => {
    const path = join(folder, 'bounds');
    await writeFile(path, Buffer.alloc(4096));
    await withTarget({path, region: {offset: 1024, bytes: 1024}}, 'write', async (target) => {
      for (const [offset, bytes] of [
        [-1, 1],
        [1024, 1],
        [1000, 25],
        [0.5, 1],
      ] as const) {
        await assert.rejects(target.writeAt(offset, new Uint8Array(bytes)), (error: unknown) => {
          assert.ok(error instanceof SlotError && error.code === 'out-of-bounds');
          return true;
        });
      }
      assert.equal((await target.readAt(1024, 10)).length, 0);
      assert.equal((await target.readAt(1020, 10)).length, 4);
    });
    assert.ok((await readFile(path)).equals(Buffer.alloc(4096)));
  });

  it('names the device in an error of the operating system, and keeps its code', async () => {
    await assert.rejects(
      withTarget({path: '/dev/full', region: {offset: 0, bytes: 10}}, 'write', (target) =>
        target.writeAt(0, Buffer.from('x')),
      ),
      (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, /^write to \/dev\/full at byte 0: ENOSPC/);
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
        return true;
      },
    );
  });

  it('is prepared by its first write, again if that failed', async () => {
    const path = join(folder, 'prepared');
    await writeFile(path, Buffer.alloc(512));
    await withTarget({path}, 'write', async (target) => {
      let calls = 0;
      const prepared = preparedTarget(target, () => {
        calls += 1;
        return calls === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve();
      });
      await prepared.readAt(0, 1);
      assert.equal(calls, 0);
      await assert.rejects(prepared.writeAt(0, Uint8Array.of(1)), /not yet/);
      assert.equal((await readFile(path))[0], 0);
      await prepared.writeAt(0, Uint8Array.of(1));
      await prepared.writeAt(1, Uint8Array.of(1));
      assert.equal(calls, 2);
    });
  });
});

describe('the slots of an image file', {skip}, () => {
  it('are where its table says', async () => {
    const path = join(folder, 'disk.raw');
    await writeSlotDisk(path, {
      sectorSize: 4096,
      diskBytes: 8 * MIB,
      slots: {A: [1, 0, true], B: [0, 0, false]},
    });
    const disk = imageSlotDisk(path);
    for (const [partition, value] of [
      ['esp', 1],
      ['A', 2],
      ['B', 3],
    ] as const)
      await disk.usePartition(partition, 'write', (target) => target.writeAt(0, Uint8Array.of(value)));
    const file = await open(path);
    for (const value of [1, 2, 3]) {
      const {buffer} = await file.read(Buffer.alloc(1), 0, 1, value * MIB);
      assert.equal(buffer[0], value);
    }
    await file.close();
  });
});

async function cachedBytes(path: string): Promise<number> {
  const {stdout} = await exec(['fincore', '--bytes', '--noheadings', '--output', 'RES', path]);
  return Number(stdout.trim());
}

/** What the engine makes of disks and servers that fail: a clear error, no harm, and success once they work again. */
import assert from 'node:assert/strict';
import {readFile, stat, writeFile} from 'node:fs/promises';
import {describe, it} from 'node:test';
import {readGpt, withGptDisk} from '../../platform/gpt-disk.ts';
import {ApiError} from '../../update-engine/api/protocol.ts';
import {type SlotDisk, imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {ctl, engineBench, isRest} from '../support/engine-bench.ts';
import {holds, writeConf} from '../support/engine-world.ts';
import {damageDisk} from '../support/slot-disk.ts';

const bench = await engineBench(['1.1.0']);

describe('faults', () => {
  /** The disk, with writes of a partition failing from the n-th on. */
  function failing(
    partition: 'B' | 'esp',
    code: 'ENOSPC' | 'EIO',
    afterWrites: number,
  ): {disk: SlotDisk; heal: () => void} {
    const disk = imageSlotDisk(bench.world().disk);
    let isBroken = true;
    let writes = 0;
    const usePartition: SlotDisk['usePartition'] = (which, mode, use) =>
      disk.usePartition(which, mode, (target) => {
        if (which !== partition || mode !== 'write') return use(target);
        const writeAt = target.writeAt.bind(target);
        return use({
          ...target,
          async writeAt(offset, bytes) {
            writes += 1;
            if (isBroken && writes > afterWrites) throw Object.assign(new Error(`${code}: write`), {code});
            await writeAt(offset, bytes);
          },
        });
      });
    return {disk: {...disk, usePartition}, heal: () => void (isBroken = false)};
  }

  for (const partition of ['B', 'esp'] as const) {
    for (const code of ['ENOSPC', 'EIO'] as const) {
      for (const afterWrites of [0, 2]) {
        it(`${code} on ${partition} after ${afterWrites} writes costs an error, and the next try succeeds`, async () => {
          const {disk, heal} = failing(partition, code, afterWrites);
          const engine = await bench.start({disk});
          await assert.rejects(ctl(engine, 'update'), new RegExp(code));
          const {lastError, nextBoot, state} = await engine.until(isRest, 'at rest');
          assert.equal(lastError?.stage, partition === 'B' ? 'download' : 'finalize');
          assert.notEqual(lastError.hint, null);
          assert.deepEqual([state, nextBoot?.slot], ['IDLE', 'A']);
          heal();
          assert.equal((await ctl(engine, 'update')).code, 0);
          const release = bench.world().releases.get('1.1.0');
          assert.ok(release !== undefined && (await holds(bench.world().disk, 'B', release)));
        });
      }
    }
  }

  it('of the partition table: the engine repairs a copy that is damaged, and says so', async () => {
    const {disk} = bench.world();
    const table = await withGptDisk(disk, {}, async (whole) => (await readGpt(whole)).table);
    await damageDisk(disk, table, ['backupHeader']);
    const engine = await bench.start();
    const status = await engine.client.status();
    assert.deepEqual(status.disk.problems, []);
    assert.equal(status.disk.repair?.outcome, 'repaired');
    const detail = /the backup partition table was damaged .*; the backup was written anew from the primary/;
    assert.match(engine.lines.join('\n'), detail);
    assert.match(
      (await ctl(engine, 'status')).out,
      new RegExp(`^disk +(now|.* ago): ${detail.source}$`, 'm'),
    );
    assert.ok(await withGptDisk(disk, {}, async (whole) => (await readGpt(whole)).agree));
    await engine.stop();

    const before = await stat(disk, {bigint: true});
    const second = await bench.start();
    assert.equal((await second.client.status()).disk.repair, null);
    assert.equal((await stat(disk, {bigint: true})).mtimeNs, before.mtimeNs);
  });

  it('of the server: gone, then back', async () => {
    await writeConf(bench.world(), {SERVER: 'http://127.0.0.1:1/v1/update/', REBOOT_STRATEGY: 'off'});
    const engine = await bench.start();
    await assert.rejects(ctl(engine, 'update'), /127\.0\.0\.1:1/);
    const {lastCheck, state} = await engine.until(isRest, 'at rest');
    assert.deepEqual([lastCheck?.outcome, state], ['failed', 'IDLE']);
    await writeConf(bench.world(), {SERVER: `${bench.server().url}/v1/update/`, REBOOT_STRATEGY: 'off'});
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('of a payload: a byte is wrong, wherever', async () => {
    await writeConf(bench.world(), {SERVER: 'disabled', REBOOT_STRATEGY: 'off'});
    const path = bench.world().payloadOf('1.1.0');
    const good = await readFile(path);
    const engine = await bench.start();
    for (const at of [0, 30, 700, 5000, good.length >> 1, good.length - 300, good.length - 1]) {
      const bad = Buffer.from(good);
      bad.writeUInt8((bad[at] ?? 0) ^ 0x40, at);
      await writeFile(path, bad);
      await assert.rejects(ctl(engine, `update --payload ${path}`), ApiError, `byte ${at}`);
      const {nextBoot} = await engine.until(isRest, 'at rest');
      assert.equal(nextBoot?.slot, 'A');
    }
    await writeFile(path, good.subarray(0, good.length - 1));
    await assert.rejects(ctl(engine, `update --payload ${path}`), ApiError);
    await writeFile(path, good);
    assert.equal((await ctl(engine, `update --payload ${path}`)).code, 0);
  });
});

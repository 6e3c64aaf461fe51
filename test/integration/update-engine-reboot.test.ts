/** The whole update engine with REBOOT_STRATEGY=etcd-lock: when it restarts, and what becomes of the lock. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {beforeEach, describe, it} from 'node:test';
import {setSlotBits} from '../../formats/gpt/slots.ts';
import {updateGpt} from '../../platform/gpt-disk.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import type {RunningEngine} from '../support/engine-process.ts';
import {ctl, engineBench} from '../support/engine-bench.ts';
import {promote, writeConf} from '../support/engine-world.ts';
import {type MemoryLock, memoryLock} from '../support/memory-lock.ts';
import {openDoors} from '../support/reboot-doors.ts';

const SELF = '0123456789abcdef0123456789abcdef';
const OTHER = {id: 'other', since: Date.now() - 60_000, reason: 'restarting', version: '1.1.0'};
const bench = await engineBench(['1.1.0', '1.2.0']);
let shared: MemoryLock;

beforeEach(async () => {
  shared = memoryLock(SELF);
  const server = `${bench.server().url}/v1/update/`;
  await writeConf(bench.world(), {SERVER: server, REBOOT_STRATEGY: 'etcd-lock', GROUP: 'stable'});
});

const start = (changes: {version?: string; active?: 'A' | 'B'} = {}): Promise<RunningEngine> =>
  bench.start({
    ...changes,
    world: {rebootDoors: () => ({...openDoors(), openLock: () => Promise.resolve(shared.lock)})},
  });

const holderOf = ({holder}: MemoryLock): string | undefined => holder?.id;

describe('a host with the lock of its cluster', () => {
  it('restarts when it has the lock, and gives it back when the new release is good', async () => {
    shared.holder = OTHER;
    const first = await start();
    await ctl(first, 'update');
    const waiting = await first.until(({reboot}) => reboot.blockedBy === 'lock', 'waiting for the lock');
    assert.match(waiting.waiting[0] ?? '', /held by other for \d+ min \(restarting\)/);
    assert.equal(first.reboots(), 0);
    assert.match(await first.client.metrics(), /caisson_reboot_blocked\{by="lock",answer="closed"\} 1/);
    assert.match(await readFile(bench.world().paths.rebootMarker, 'utf8'), /1\.1\.0/);

    shared.holder = null;
    await ctl(first, 'reboot');
    await first.until(() => first.reboots() === 1, 'restarted');
    assert.equal(holderOf(shared), SELF);
    await first.stop();

    const second = await start({version: '1.1.0', active: 'B'});
    const trial = await second.until(({reboot}) => reboot.debt !== null, 'on trial');
    assert.equal(trial.reboot.debt?.lock, 'etcd-lock');
    assert.equal(holderOf(shared), SELF, 'a host on trial keeps the lock');
    await ctl(second, 'mark-good');
    await second.until(({reboot}) => reboot.debt === null, 'released');
    assert.equal(shared.holder, null);
    await assert.rejects(readFile(bench.world().paths.rebootMarker));
  });

  it('keeps the lock after a rollback until its channel offers something else', async () => {
    const first = await start();
    await ctl(first, 'update');
    await first.until(() => first.reboots() === 1, 'restarted');
    await first.stop();

    // The new release used up its tries, and the machine is back in slot A.
    const disk = imageSlotDisk(bench.world().disk);
    await disk.useTable('write', (whole) =>
      updateGpt(whole, (table) => setSlotBits(table, 'B', {priority: 2, tries: 0, successful: false})),
    );
    const second = await start();
    const back = await second.until(({reboot}) => reboot.owedBecause !== null, 'back');
    assert.equal(back.lastUpdate?.outcome, 'rolled-back');
    assert.match(back.waiting[0] ?? '', /the reboot lock is kept: 1\.1\.0 was left behind/);
    assert.match(shared.holder?.reason ?? '', /1\.1\.0 was left behind/);

    // Still offered, still refused, still held.
    await ctl(second, 'check');
    assert.equal(holderOf(shared), SELF);
    await promote(bench.world(), '1.2.0', 'stable');
    await ctl(second, 'check');
    await second.until(({reboot}) => reboot.debt === null, 'let go');
    assert.equal(shared.holder, null);
  });

  it('gives the lock back when the update is dropped', async () => {
    const engine = await start();
    await ctl(engine, 'update');
    await engine.until(() => engine.reboots() === 1, 'restarted');
    await ctl(engine, 'reset');
    await engine.until(({reboot}) => reboot.debt === null, 'released');
    assert.equal(shared.holder, null);
  });

  it('restarts for its own sake, by the same rules', async () => {
    const engine = await start();
    assert.match((await ctl(engine, 'reboot --now')).out, /as soon as it has the lock/);
    await engine.until(() => engine.reboots() === 1, 'restarted');
    assert.equal(shared.holder?.reason, 'a restart that an operator asked for');
    await engine.stop();
    const second = await start();
    await second.until(({reboot}) => reboot.debt === null, 'released');
    assert.equal(shared.holder, null);
  });
});

/** The engine of a host that runs from its boot image: it installs nothing, is told of newer images, and keeps the lock. */
import assert from 'node:assert/strict';
import {readFile, rm} from 'node:fs/promises';
import {describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import type {DaemonOptions} from '../../update-engine/daemon.ts';
import {ctl, engineBench} from '../support/engine-bench.ts';
import {promote, writeConf} from '../support/engine-world.ts';
import {memoryLock} from '../support/memory-lock.ts';
import {openDoors} from '../support/reboot-doors.ts';

const bench = await engineBench(['1.1.0', '1.2.0']);
const HOUR_MS = 3_600_000;
const SELF = 'live-host';

interface Live {
  world: Partial<DaemonOptions>;
  becomeGood(): void;
}

/** The clock looks at the health marker at once, and at everything else when it is due. */
function live({upHours = 1, isGood = true, forgets = true} = {}): Live {
  let good = isGood;
  return {
    becomeGood: () => void (good = true),
    world: {
      bootImage: {forgets, isGood: () => Promise.resolve(good)},
      findDisk: () => Promise.reject(new Error('no disk is looked for')),
      uptimeMs: () => upHours * HOUR_MS,
      clock: {
        now: () => Date.now(),
        after(ms, call) {
          const timer = setTimeout(call, ms <= 10_000 ? 20 : Math.min(ms, 2 ** 31 - 1)).unref();
          return () => clearTimeout(timer);
        },
        sleep: (ms, signal) => sleep(Math.min(ms, 20), undefined, {signal}),
      },
    },
  };
}

async function configure(changes: Record<string, string>): Promise<void> {
  await writeConf(bench.world(), {SERVER: `${bench.server().url}/v1/update/`, GROUP: 'stable', ...changes});
}

describe('a host that runs from its boot image', () => {
  it('says that a newer one is available, follows the channel, and writes to no disk', async () => {
    const before = await readFile(bench.world().disk);
    const engine = await bench.start(live());
    await ctl(engine, 'update');
    const status = await engine.until(({waiting}) => /by hand/.test(waiting[1] ?? ''), 'told of the image');
    assert.deepEqual(
      [status.isLive, status.slot, status.slots, status.pending, status.offer?.version],
      [true, null, [], null, '1.1.0'],
    );
    assert.deepEqual(status.waiting, [
      'a newer boot image is available: 1.1.0',
      '1.1.0 waits for a restart by hand: REBOOT_STRATEGY=off',
    ]);
    const {out} = await ctl(engine, 'status');
    assert.match(out, /^running +1\.0\.0 \(20260102-abc\), from its boot image$/m);
    assert.match(out, /^next boot +the image that the machine is given when it starts$/m);
    assert.match(out, /newer boot image is available: 1\.1\.0/);
    await ctl(engine, 'reset');
    await promote(bench.world(), '1.2.0');
    assert.match((await ctl(engine, 'check')).out, /1\.2\.0/);
    assert.equal((await engine.client.status()).state, 'IDLE');
    assert.deepEqual(await readFile(bench.world().disk), before);
  });

  it('restarts for it, but not before it has been up for the interval', async () => {
    await configure({REBOOT_STRATEGY: 'reboot'});
    const young = await bench.start(live({upHours: 1}));
    await ctl(young, 'update');
    const waits = await young.until(({waiting}) => /INTERVAL/.test(waiting[1] ?? ''), 'waiting');
    assert.match(waits.waiting[1] ?? '', /restarts for it in 23 h at the earliest/);
    assert.equal(young.reboots(), 0);
    await young.stop();

    await configure({REBOOT_STRATEGY: 'reboot', REBOOT_IMAGE_INTERVAL: 'soon'});
    const unsure = await bench.start(live({upHours: 100}));
    await ctl(unsure, 'update');
    const problem = await unsure.until(({waiting}) => /INTERVAL/.test(waiting[1] ?? ''), 'waiting');
    assert.match(problem.waiting[1] ?? '', /"soon"|soon/);
    assert.equal(unsure.reboots(), 0);
    await unsure.stop();

    await configure({REBOOT_STRATEGY: 'reboot', REBOOT_IMAGE_INTERVAL: '2h'});
    const old = await bench.start(live({upHours: 3}));
    await ctl(old, 'update');
    await old.until(({waiting}) => /restart/.test(waiting[1] ?? '') && old.reboots() === 1, 'restarting');
  });

  it('takes the lock for the restart, and gives it back once its health is good, though it has forgotten', async () => {
    const shared = memoryLock(SELF);
    const holder = (): string | undefined => shared.holder?.id;
    const rebootDoors = () => ({...openDoors(), openLock: () => Promise.resolve(shared.lock)});
    await configure({REBOOT_STRATEGY: 'etcd-lock'});
    const leaving = live({upHours: 30});
    const first = await bench.start({world: {...leaving.world, rebootDoors}});
    await ctl(first, 'update');
    await first.until(() => first.reboots() === 1, 'restarting');
    assert.equal(holder(), SELF);
    await first.stop();
    // Memory: what the state folder held is gone.
    await rm(bench.world().paths.state, {recursive: true});

    const back = live({isGood: false});
    const second = await bench.start({version: '1.1.0', world: {...back.world, rebootDoors}});
    const trial = await second.client.status();
    assert.match(trial.waiting[0] ?? '', /has not been found good yet/);
    assert.equal(trial.reboot.debt?.lock, 'etcd-lock');
    assert.equal(holder(), SELF);
    back.becomeGood();
    await second.until(({reboot, state}) => reboot.debt === null && state === 'IDLE', 'without the lock');
    assert.equal(holder(), undefined);
  });
});

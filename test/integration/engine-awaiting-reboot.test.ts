/** What an engine does between an installation and the reboot: it keeps in touch with its server, and lets go when told to. */
import assert from 'node:assert/strict';
import {EventEmitter, once} from 'node:events';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import type {DaemonOptions} from '../../update-engine/daemon.ts';
import {ctl, engineBench} from '../support/engine-bench.ts';
import {promote, writeConf} from '../support/engine-world.ts';

const bench = await engineBench(['1.1.0', '1.2.0']);

describe('a host that waits for its reboot', () => {
  /** The machine's clock, on which the next regular check comes when the test says so. */
  function manualChecks(): {clock: DaemonOptions['clock']; checkNow: () => Promise<void>} {
    let due: (() => void) | null = null;
    const planned = new EventEmitter();
    return {
      clock: {
        now: () => Date.now(),
        after(ms, call) {
          if (ms > 30 * 60_000) {
            due = call;
            planned.emit('check');
            return () => void (due = null);
          }
          const timer = setTimeout(call, ms).unref();
          return () => clearTimeout(timer);
        },
        sleep: (ms, signal) => sleep(ms, undefined, {signal}),
      },
      async checkNow() {
        if (due === null) await once(planned, 'check');
        const call = due;
        due = null;
        call?.();
      },
    };
  }

  it('goes on asking the server, and knows what is offered', async () => {
    const {clock, checkNow} = manualChecks();
    const engine = await bench.start({world: {clock}});
    await ctl(engine, 'update');
    const before = await engine.client.status();
    assert.equal(before.lastOffer?.version, '1.1.0');
    await checkNow();
    const still = await engine.until(({lastCheck}) => lastCheck?.at !== before.lastCheck?.at, 'asked again');
    assert.equal(still.state, 'UPDATED_NEED_REBOOT');
    assert.match(still.lastCheck?.detail ?? '', /still offers 1\.1\.0, which waits for the reboot/);
    assert.equal(still.waiting[0], '1.1.0 waits for a restart by hand: REBOOT_STRATEGY=off');

    await promote(bench.world(), '1.2.0');
    await checkNow();
    const moved = await engine.until(({pending}) => pending === null, 'told of the next one');
    assert.match(moved.lastCheck?.detail ?? '', /does not offer 1\.1\.0 any more, but 1\.2\.0/);
    assert.equal(moved.pending, null);
    assert.equal(moved.lastUpdate?.outcome, 'dropped');
    assert.deepEqual([moved.nextBoot?.slot, moved.denied], [moved.slot, []]);
    // The next one can be had at once.
    assert.equal((await ctl(engine, 'update')).code, 0);
    assert.equal((await engine.client.status()).pending?.version, '1.2.0');
  });

  it('does not start a release that was withdrawn, but keeps what an operator chose', async () => {
    const {clock, checkNow} = manualChecks();
    const engine = await bench.start({world: {clock}});
    await promote(bench.world(), '1.2.0');
    await ctl(engine, 'update');
    assert.equal((await engine.client.status()).pending?.followsChannel, true);
    await promote(bench.world(), '1.1.0');
    await checkNow();
    const {nextBoot, slot} = await engine.until(({pending}) => pending === null, 'withdrawn');
    assert.equal(nextBoot?.slot, slot);
    await ctl(engine, 'update --version 1.1.0');
    const chosen = await engine.client.status();
    assert.deepEqual([chosen.pending?.version, chosen.pending?.followsChannel], ['1.1.0', false]);
    await promote(bench.world(), '1.2.0');
    await checkNow();
    const kept = await engine.until(({lastOffer}) => lastOffer?.version === '1.2.0', 'asked');
    assert.match(kept.lastCheck?.detail ?? '', /1\.1\.0 waits for the reboot and comes first/);
    assert.equal(kept.pending?.version, '1.1.0');
  });

  it('lives with a server that is away, and is reset while it is being asked', async () => {
    const {clock, checkNow} = manualChecks();
    const engine = await bench.start({world: {clock}});
    await ctl(engine, 'update');
    await writeConf(bench.world(), {SERVER: 'http://127.0.0.1:1/v1/update/', REBOOT_STRATEGY: 'off'});
    await checkNow();
    const {lastError, state, lastOffer} = await engine.until(
      ({lastCheck}) => lastCheck?.outcome === 'failed',
      'failed',
    );
    assert.deepEqual(
      [lastError?.stage, state, lastOffer?.version],
      ['check', 'UPDATED_NEED_REBOOT', '1.1.0'],
    );
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const {port} = silent.address() as AddressInfo;
    await writeConf(bench.world(), {SERVER: `http://127.0.0.1:${port}/`, REBOOT_STRATEGY: 'off'});
    const asked = once(silent, 'connection');
    await checkNow();
    await asked;
    await ctl(engine, 'reset');
    assert.equal((await engine.client.status()).state, 'IDLE');
    await engine.stop();
    silent.close();
  });

  it('tells the server that the update was dropped, and of one that was stopped half-way', async () => {
    const texts = (): string[] =>
      bench
        .server()
        .fleet.events()
        .map(({text}) => text)
        .reverse();
    const engine = await bench.start();
    await ctl(engine, 'update');
    await ctl(engine, 'reset');
    await engine.until(() => texts().includes('update cancelled'), 'told');
    assert.deepEqual(texts().slice(-4), [
      'download started',
      'download finished',
      'installed, waits for a reboot',
      'update cancelled',
    ]);
    await writeConf(bench.world(), {
      SERVER: `${bench.server().url}/v1/update/`,
      REBOOT_STRATEGY: 'off',
      DOWNLOAD_RATE_LIMIT: '1M',
    });
    await ctl(engine, 'update --no-wait');
    await engine.until(({progress}) => (progress?.doneBytes ?? 0) > 0, 'under way');
    await ctl(engine, 'reset');
    await engine.until(
      () => texts().filter((text) => text === 'update cancelled').length === 2,
      'told again',
    );
    // The server can give it out again, and the host takes it.
    await writeConf(bench.world(), {SERVER: `${bench.server().url}/v1/update/`, REBOOT_STRATEGY: 'off'});
    assert.equal((await ctl(engine, 'update')).code, 0);
  });
});

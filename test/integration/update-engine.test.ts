/** The whole update engine against the real release server, on a disk file: what an operator would see. */
import assert from 'node:assert/strict';
import {generateKeyPairSync} from 'node:crypto';
import {mkdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {describe, it} from 'node:test';
import {setSlotBits} from '../../formats/gpt/slots.ts';
import {updateGpt} from '../../platform/gpt-disk.ts';
import {askLocal} from '../../platform/local-http.ts';
import {ApiError} from '../../update-engine/api/protocol.ts';
import {describeOffline} from '../../update-engine/ctl/offline.ts';
import {markGood} from '../../update-engine/slots/marks.ts';
import {readSlotsNow} from '../../update-engine/slots/slots-now.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {ctl, engineBench, isRest} from '../support/engine-bench.ts';
import {holds, promote, writeConf} from '../support/engine-world.ts';

const OTHER_KEY = generateKeyPairSync('rsa', {modulusLength: 2048})
  .publicKey.export({type: 'spki', format: 'pem'})
  .toString();
const bench = await engineBench(['1.1.0', '1.2.0']);

describe('an update', () => {
  it('goes from the server into the other slot, to its trial, and is told to the server', async () => {
    const engine = await bench.start();
    const {code, out, notes} = await ctl(engine, 'update');
    assert.equal(code, 0);
    assert.equal(out, '1.1.0 is installed and starts with the next reboot\n');
    assert.match(notes, /CHECKING_FOR_UPDATE/);
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 2 2 false']);
    const release = bench.world().releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(bench.world().disk, 'B', release)));
    const status = await engine.until(({reboot}) => reboot.blockedBy === 'strategy', 'waiting for a person');
    assert.equal(status.nextBoot?.slot, 'B');
    assert.equal(status.pending?.version, '1.1.0');
    assert.equal(status.waiting[0], '1.1.0 waits for a restart by hand: REBOOT_STRATEGY=off');
    assert.equal(engine.reboots(), 0);
    await engine.stop();

    // The machine starts slot B, on trial.
    const second = await bench.start({version: '1.1.0', active: 'B'});
    const trial = await second.until(({waiting}) => waiting.length > 0, 'on trial');
    assert.match(trial.waiting[0] ?? '', /not been found good yet/);
    await assert.rejects(
      ctl(second, 'update'),
      (error) => error instanceof ApiError && error.code === 'refused',
    );
    assert.equal((await ctl(second, 'mark-good')).code, 0);
    const good = await second.until(({pending}) => pending === null, 'confirmed');
    assert.equal(good.lastUpdate?.outcome, 'good');
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 2 0 true']);
    await second.until(() => bench.server().fleet.hosts().length > 0, 'known to the server');
  });

  it('is begun by nobody who only looks', async () => {
    const engine = await bench.start();
    assert.match((await ctl(engine, 'check')).out, /1\.1\.0 can be installed/);
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('comes from a file where no server is', async () => {
    await writeConf(bench.world(), {SERVER: 'disabled'});
    const engine = await bench.start();
    await assert.rejects(ctl(engine, 'update'), /asks no server: SERVER=disabled/);
    const {out} = await ctl(engine, `update --payload ${bench.world().payloadOf('1.2.0')}`);
    assert.equal(out, '1.2.0 is installed and starts with the next reboot\n');
    // REBOOT_STRATEGY is reboot when nothing else is said.
    await engine.until(() => engine.reboots() === 1, 'restarted');
  });

  it('goes on after a restart of the engine, from where it was', async () => {
    await writeConf(bench.world(), {
      SERVER: `${bench.server().url}/v1/update/`,
      REBOOT_STRATEGY: 'off',
      DOWNLOAD_RATE_LIMIT: '6M',
    });
    const first = await bench.start();
    await ctl(first, 'update --no-wait');
    await first.until(({progress}) => (progress?.doneBytes ?? 0) > 0, 'under way');
    const saved = join(bench.world().paths.state, 'progress.json');
    await first.until(() => true, 'asked');
    while (
      !(await stat(saved).then(
        () => true,
        () => false,
      ))
    )
      await first.until(() => true, 'asked');
    const begun = performance.now();
    await first.stop();
    assert.ok(performance.now() - begun < 40_000, 'it stops, and does not end the download first');
    const second = await bench.start();
    const {code} = await ctl(second, 'update');
    assert.equal(code, 0);
    const release = bench.world().releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(bench.world().disk, 'B', release)));
  });

  it('is dropped by reset, and then comes again', async () => {
    const engine = await bench.start();
    await ctl(engine, 'update');
    assert.match((await ctl(engine, 'reset')).out, /next reboot starts 1\.0\.0 again/);
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 0 0 false']);
    const status = await engine.client.status();
    assert.equal(status.state, 'IDLE');
    assert.equal(status.pending, null);
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('waits for its reboot across restarts of the engine, and reboots by its strategy', async () => {
    const first = await bench.start();
    await ctl(first, 'update');
    await first.stop();
    await writeConf(bench.world(), {SERVER: `${bench.server().url}/v1/update/`, REBOOT_STRATEGY: 'reboot'});
    const second = await bench.start();
    await second.until(({waiting}) => /about to restart|asked for/.test(waiting[0] ?? ''), 'restarting');
    assert.equal((await second.client.status()).state, 'UPDATED_NEED_REBOOT');
    await second.until(() => second.reboots() === 1, 'restarted');
  });
});

describe('what is refused', () => {
  it('a denied version, until it is let in again', async () => {
    const engine = await bench.start();
    await ctl(engine, 'deny add 1.1.0 --reason slow');
    await assert.rejects(ctl(engine, 'update'), /1\.1\.0 is on the deny list: slow/);
    assert.match((await ctl(engine, 'status')).out, /denied +1\.1\.0: slow/);
    await ctl(engine, 'deny remove 1.1.0');
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('another version than the one asked for', async () => {
    const engine = await bench.start();
    await assert.rejects(
      ctl(engine, 'update --version 1.2.0'),
      (error) =>
        error instanceof ApiError && error.code === 'refused' && /does not offer 1\.2\.0/.test(error.message),
    );
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('a payload that nobody trusted has signed', async () => {
    await writeFile(join(bench.world().paths.keys, 'test.pem'), OTHER_KEY);
    const engine = await bench.start();
    await assert.rejects(ctl(engine, 'update'), /trust/);
    const {lastError} = await engine.until(isRest, 'at rest');
    assert.equal(lastError?.code, 18);
    assert.deepEqual(await bench.bits(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('everything, in a release without keys', async () => {
    await rm(join(bench.world().paths.keys, 'test.pem'));
    const engine = await bench.start();
    await assert.rejects(ctl(engine, 'update'), /trusts no payload/);
  });

  it('an older release, unless it is allowed', async () => {
    const engine = await bench.start({version: '1.2.0'});
    await assert.rejects(
      ctl(engine, `update --payload ${bench.world().payloadOf('1.1.0')}`),
      /older than 1\.2\.0/,
    );
  });
});

describe('a rollback', () => {
  it('by an operator goes to the slot before, and denies what was left', async () => {
    const first = await bench.start();
    await ctl(first, 'update');
    await first.stop();
    const disk = imageSlotDisk(bench.world().disk);
    await markGood(disk, 'B');
    const second = await bench.start({version: '1.1.0', active: 'B'});
    await second.until(({pending}) => pending === null, 'confirmed');
    assert.match(
      (await ctl(second, 'rollback')).out,
      /slot A \(1\.0\.0\|?.*\) starts with the next reboot, and 1\.1\.0 is denied/,
    );
    assert.equal((await second.client.status()).state, 'UPDATED_NEED_REBOOT');
    await second.stop();
    // Without a reboot the next engine knows it, too.
    const third = await bench.start({version: '1.1.0', active: 'B'});
    assert.equal((await third.client.status()).state, 'UPDATED_NEED_REBOOT');
    await ctl(third, 'reset');
    assert.equal((await third.client.status()).nextBoot?.slot, 'B');
  });

  it('of a release that did not come up is remembered', async () => {
    const first = await bench.start();
    await ctl(first, 'update');
    await first.stop();
    // Both starts are used, and the machine is back in A.
    const disk = imageSlotDisk(bench.world().disk);
    await disk.useTable('write', (whole) =>
      updateGpt(whole, (table) => setSlotBits(table, 'B', {priority: 2, tries: 0, successful: false})),
    );
    const second = await bench.start();
    const status = await second.until(({pending}) => pending === null, 'judged');
    assert.match(status.denied[0]?.reason ?? '', /did not come up/);
    assert.equal(status.lastUpdate?.outcome, 'rolled-back');
    await assert.rejects(ctl(second, 'update'), /deny list/);
    await promote(bench.world(), '1.2.0');
    assert.equal((await ctl(second, 'update')).code, 0, 'the next release is taken');
  });
});

describe('the sockets', () => {
  it('are for anyone to ask, and for root to order', async () => {
    const engine = await bench.start();
    const modes = await Promise.all(
      [bench.world().paths.statusSocket, bench.world().paths.controlSocket].map(async (path) =>
        ((await stat(path)).mode & 0o777).toString(8),
      ),
    );
    assert.deepEqual(modes, ['666', '600']);
    const ask = (method: 'GET' | 'POST', target: string, body?: string) =>
      askLocal(bench.world().paths.statusSocket, {
        method,
        target,
        timeoutMs: 5000,
        maxBytes: 1 << 20,
        ...(body === undefined ? {} : {body}),
      });
    assert.equal((await ask('POST', '/v1/update')).status, 404);
    assert.equal((await ask('POST', '/v1/status')).status, 405);
    assert.equal((await ask('GET', '/v1/status?after=x')).status, 400);
    assert.equal((await ask('POST', '/v1/update', '{}')).status, 413);
    assert.match((await ask('GET', '/metrics')).body, /^caisson_update_state\{state="IDLE"\} 1$/m);
    await ctl(engine, 'deny add 1.1.5');
    await engine.stop();
    await assert.rejects(engine.client.status(), /not running/);
    const disk = imageSlotDisk(bench.world().disk);
    await mkdir(dirname(bench.world().paths.osRelease), {recursive: true});
    await writeFile(
      bench.world().paths.osRelease,
      'ID=caisson\nIMAGE_ID=caisson\nIMAGE_VERSION=1.0.0\nBUILD_ID=b\n',
    );
    await mkdir(dirname(bench.world().paths.bootId), {recursive: true});
    await writeFile(bench.world().paths.bootId, 'x\n');
    const text = await describeOffline(bench.world().paths, async () => ({
      active: 'A',
      now: await readSlotsNow(disk),
    }));
    assert.match(text, /^running {4}1\.0\.0 \(b\)$/m);
    assert.match(text, /^slot A {5}1\.0\.0 .*running$/m);
    assert.match(text, /^next boot {2}slot A: /m);
    assert.match(text, /^denied {5}1\.1\.5: /m);
    const forbidden = Object.assign(new Error('no'), {code: 'EACCES'});
    assert.match(await describeOffline(bench.world().paths, () => Promise.reject(forbidden)), /only root/);
  });

  it('refuse orders that are none', async () => {
    const engine = await bench.start();
    for (const request of [
      {version: 'x'},
      {payload: 'relative'},
      {version: '1.1.0', payload: '/x'},
      {frob: 1},
    ])
      await assert.rejects(
        engine.client.order('/v1/update', request),
        (error) => error instanceof ApiError && error.code === 'bad-request',
      );
  });

  it('leave the metrics in a file', async () => {
    const engine = await bench.start();
    await engine.until(() => true, 'there');
    const text = await readFile(bench.world().paths.metrics, 'utf8');
    assert.match(text, /^caisson_os_info\{version="1\.0\.0"/m);
  });
});

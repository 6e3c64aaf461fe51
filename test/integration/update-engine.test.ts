/** The whole update engine against the real release server, on a disk file: what an operator would see. */
import assert from 'node:assert/strict';
import {generateKeyPairSync} from 'node:crypto';
import {cp, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, beforeEach, describe, it} from 'node:test';
import {setSlotBits} from '../../formats/gpt/slots.ts';
import {updateGpt} from '../../platform/gpt-disk.ts';
import {askLocal} from '../../platform/local-http.ts';
import {markGood} from '../../update-engine/slots/marks.ts';
import {readSlotsNow} from '../../update-engine/slots/slots-now.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {ApiError} from '../../update-engine/api/protocol.ts';
import {type Terminal, runCommand} from '../../update-engine/ctl/run.ts';
import {parseCommand} from '../../update-engine/ctl/arguments.ts';
import type {ReleaseServer} from '../../server/serve.ts';
import {type RunningEngine, startEngine} from '../support/engine-process.ts';
import {
  type EngineWorld,
  holds,
  makeEngineWorld,
  promote,
  serveWorld,
  writeConf,
} from '../support/engine-world.ts';

const folder = await mkdtemp(join(tmpdir(), 'engine-'));
const original = await makeEngineWorld(join(folder, 'original'), ['1.1.0', '1.2.0']);
after(() => rm(folder, {recursive: true}));

const OTHER_KEY = generateKeyPairSync('rsa', {modulusLength: 2048})
  .publicKey.export({type: 'spki', format: 'pem'})
  .toString();

let world: EngineWorld;
let server: ReleaseServer;
let engines: RunningEngine[];
let count = 0;

beforeEach(async () => {
  count += 1;
  const copy = join(folder, String(count));
  await cp(original.folder, copy, {recursive: true});
  const inCopy = (path: string): string => path.replace(original.folder, copy);
  world = {
    ...original,
    folder: copy,
    disk: inCopy(original.disk),
    served: inCopy(original.served),
    paths: Object.fromEntries(
      Object.entries(original.paths).map(([name, path]) => [name, inCopy(path)]),
    ) as unknown as EngineWorld['paths'],
    payloadOf: (version) => inCopy(original.payloadOf(version)),
  };
  server = await serveWorld(world, '1.1.0');
  await writeConf(world, {SERVER: `${server.url}/v1/update/`, GROUP: 'stable', REBOOT_STRATEGY: 'off'});
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) await engine.stop();
  await server.close(0);
  await rm(world.folder, {recursive: true});
});

async function start(changes: Parameters<typeof startEngine>[1] = {}): Promise<RunningEngine> {
  const engine = await startEngine(world, changes);
  engines.push(engine);
  return engine;
}

/** Runs caissonctl as an operator would; gives what it printed and its exit code. */
async function ctl(engine: RunningEngine, line: string): Promise<{code: number; out: string; notes: string}> {
  let [out, notes] = ['', ''];
  const terminal: Terminal = {
    out: (text) => void (out += text),
    note: (text) => void (notes += text),
    now: () => Date.now(),
    resolve: (path) => path,
    signal: new AbortController().signal,
  };
  const code = await runCommand(parseCommand(line.split(' ')), engine.client, terminal);
  return {code, out, notes};
}

const bitsOf = async (): Promise<string[]> =>
  (await readSlotsNow(imageSlotDisk(world.disk))).slots.map(
    ({letter, priority, tries, successful}) => `${letter} ${priority} ${tries} ${String(successful)}`,
  );
const isRest = ({state}: {state: string}): boolean => state === 'IDLE' || state === 'UPDATED_NEED_REBOOT';

describe('an update', () => {
  it('goes from the server into the other slot, to its trial, and is told to the server', async () => {
    const engine = await start();
    const {code, out, notes} = await ctl(engine, 'update');
    assert.equal(code, 0);
    assert.equal(out, '1.1.0 is installed and starts with the next reboot\n');
    assert.match(notes, /CHECKING_FOR_UPDATE/);
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 2 2 false']);
    const release = world.releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(world.disk, 'B', release)));
    const status = await engine.client.status();
    assert.equal(status.nextBoot?.slot, 'B');
    assert.equal(status.pending?.version, '1.1.0');
    assert.equal(status.waiting[0], '1.1.0 waits for a restart by hand: REBOOT_STRATEGY=off');
    assert.equal(engine.reboots(), 0);
    await engine.stop();

    // The machine starts slot B, on trial.
    const second = await start({version: '1.1.0', active: 'B'});
    const trial = await second.until(({waiting}) => waiting.length > 0, 'on trial');
    assert.match(trial.waiting[0] ?? '', /not been found good yet/);
    await assert.rejects(
      ctl(second, 'update'),
      (error) => error instanceof ApiError && error.code === 'refused',
    );
    assert.equal((await ctl(second, 'mark-good')).code, 0);
    const good = await second.until(({pending}) => pending === null, 'confirmed');
    assert.equal(good.lastUpdate?.outcome, 'good');
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 2 0 true']);
    await second.until(() => server.fleet.hosts().length > 0, 'known to the server');
  });

  it('is begun by nobody who only looks', async () => {
    const engine = await start();
    assert.match((await ctl(engine, 'check')).out, /1\.1\.0 can be installed/);
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('comes from a file where no server is', async () => {
    await writeConf(world, {SERVER: 'disabled'});
    const engine = await start();
    await assert.rejects(ctl(engine, 'update'), /asks no server: SERVER=disabled/);
    const {out} = await ctl(engine, `update --payload ${world.payloadOf('1.2.0')}`);
    assert.equal(out, '1.2.0 is installed and starts with the next reboot\n');
    // REBOOT_STRATEGY is reboot when nothing else is said.
    await engine.until(() => engine.reboots() === 1, 'restarted');
  });

  it('goes on after a restart of the engine, from where it was', async () => {
    await writeConf(world, {
      SERVER: `${server.url}/v1/update/`,
      REBOOT_STRATEGY: 'off',
      DOWNLOAD_RATE_LIMIT: '6M',
    });
    const first = await start();
    await ctl(first, 'update --no-wait');
    await first.until(({progress}) => (progress?.doneBytes ?? 0) > 0, 'under way');
    const saved = join(world.paths.state, 'progress.json');
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
    assert.ok(performance.now() - begun < 5000, 'it stops within seconds');
    const second = await start();
    const {code} = await ctl(second, 'update');
    assert.equal(code, 0);
    const release = world.releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(world.disk, 'B', release)));
  });

  it('is dropped by reset, and then comes again', async () => {
    const engine = await start();
    await ctl(engine, 'update');
    assert.match((await ctl(engine, 'reset')).out, /next reboot starts 1\.0\.0 again/);
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 0 0 false']);
    const status = await engine.client.status();
    assert.equal(status.state, 'IDLE');
    assert.equal(status.pending, null);
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('waits for its reboot across restarts of the engine, and reboots by its strategy', async () => {
    const first = await start();
    await ctl(first, 'update');
    await first.stop();
    await writeConf(world, {SERVER: `${server.url}/v1/update/`, REBOOT_STRATEGY: 'reboot'});
    const second = await start();
    await second.until(({waiting}) => /about to restart|asked for/.test(waiting[0] ?? ''), 'restarting');
    assert.equal((await second.client.status()).state, 'UPDATED_NEED_REBOOT');
    await second.until(() => second.reboots() === 1, 'restarted');
  });
});

describe('what is refused', () => {
  it('a strategy of clusters, with a note, and then nothing restarts', async () => {
    await writeConf(world, {SERVER: `${server.url}/v1/update/`, REBOOT_STRATEGY: 'etcd-lock'});
    const engine = await start();
    await ctl(engine, 'update');
    const {strategy, waiting} = await engine.until(
      ({waiting: reasons}) => reasons[0]?.includes('etcd-lock') === true,
      'waiting',
    );
    assert.equal(strategy.effective, 'off');
    assert.equal(waiting[0], 'REBOOT_STRATEGY=etcd-lock is not supported by this release, treated as off');
    assert.equal(engine.reboots(), 0);
  });

  it('a denied version, until it is let in again', async () => {
    const engine = await start();
    await ctl(engine, 'deny add 1.1.0 --reason slow');
    await assert.rejects(ctl(engine, 'update'), /1\.1\.0 is on the deny list: slow/);
    assert.match((await ctl(engine, 'status')).out, /denied +1\.1\.0: slow/);
    await ctl(engine, 'deny remove 1.1.0');
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('another version than the one asked for', async () => {
    const engine = await start();
    const {code, out} = await ctl(engine, 'update --version 1.2.0').catch((error: unknown) => ({
      code: 5,
      out: (error as Error).message,
    }));
    assert.ok(code === 5 || /nothing newer/.test(out), out);
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('a payload that nobody trusted has signed', async () => {
    await writeFile(join(world.paths.keys, 'test.pem'), OTHER_KEY);
    const engine = await start();
    await assert.rejects(ctl(engine, 'update'), /trust/);
    const {lastError} = await engine.until(isRest, 'at rest');
    assert.equal(lastError?.code, 18);
    assert.deepEqual(await bitsOf(), ['A 1 0 true', 'B 0 0 false']);
  });

  it('everything, in a release without keys', async () => {
    await rm(join(world.paths.keys, 'test.pem'));
    const engine = await start();
    await assert.rejects(ctl(engine, 'update'), /trusts no payload/);
  });

  it('an older release, unless it is allowed', async () => {
    const engine = await start({version: '1.2.0'});
    await assert.rejects(ctl(engine, `update --payload ${world.payloadOf('1.1.0')}`), /older than 1\.2\.0/);
  });
});

describe('a rollback', () => {
  it('by an operator goes to the slot before, and denies what was left', async () => {
    const first = await start();
    await ctl(first, 'update');
    await first.stop();
    const disk = imageSlotDisk(world.disk);
    await markGood(disk, 'B');
    const second = await start({version: '1.1.0', active: 'B'});
    await second.until(({pending}) => pending === null, 'confirmed');
    assert.match(
      (await ctl(second, 'rollback')).out,
      /slot A \(1\.0\.0\|?.*\) starts with the next reboot, and 1\.1\.0 is denied/,
    );
    assert.equal((await second.client.status()).state, 'UPDATED_NEED_REBOOT');
    await second.stop();
    // Without a reboot the next engine knows it, too.
    const third = await start({version: '1.1.0', active: 'B'});
    assert.equal((await third.client.status()).state, 'UPDATED_NEED_REBOOT');
    await ctl(third, 'reset');
    assert.equal((await third.client.status()).nextBoot?.slot, 'B');
  });

  it('of a release that did not come up is remembered', async () => {
    const first = await start();
    await ctl(first, 'update');
    await first.stop();
    // Both starts are used, and the machine is back in A.
    const disk = imageSlotDisk(world.disk);
    await disk.useTable('write', (whole) =>
      updateGpt(whole, (table) => setSlotBits(table, 'B', {priority: 2, tries: 0, successful: false})),
    );
    const second = await start();
    const status = await second.until(({pending}) => pending === null, 'judged');
    assert.match(status.denied[0]?.reason ?? '', /did not come up/);
    assert.equal(status.lastUpdate?.outcome, 'rolled-back');
    await assert.rejects(ctl(second, 'update'), /deny list/);
    await promote(world, '1.2.0');
    assert.equal((await ctl(second, 'update')).code, 0, 'the next release is taken');
  });
});

describe('the sockets', () => {
  it('are for anyone to ask, and for root to order', async () => {
    const engine = await start();
    const modes = await Promise.all(
      [world.paths.statusSocket, world.paths.controlSocket].map(async (path) =>
        ((await stat(path)).mode & 0o777).toString(8),
      ),
    );
    assert.deepEqual(modes, ['666', '600']);
    const ask = (method: 'GET' | 'POST', target: string, body?: string) =>
      askLocal(world.paths.statusSocket, {
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
    await engine.stop();
    await assert.rejects(engine.client.status(), /not running/);
  });

  it('refuse orders that are none', async () => {
    const engine = await start();
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
    const engine = await start();
    await engine.until(() => true, 'there');
    const text = await readFile(world.paths.metrics, 'utf8');
    assert.match(text, /^caisson_os_info\{version="1\.0\.0"/m);
  });
});

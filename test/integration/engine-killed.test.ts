/**
 * kill -9 at random points of an update, again and again: it always ends in the new release, whole, and next. CAISSON_KILLS
 * says how often; a few in an ordinary run, 200 with `npm run test:all`.
 */
import assert from 'node:assert/strict';
import {cp, mkdir, mkdtemp, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {build} from 'esbuild';
import {readGpt} from '../../platform/gpt-disk.ts';
import {type RunningProcess, start} from '../../platform/exec.ts';
import {selectSlot} from '../../formats/gpt/selection.ts';
import {readSlots} from '../../formats/gpt/slots.ts';
import {readSlotsNow} from '../../update-engine/slots/slots-now.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {type EngineWorld, holds, makeEngineWorld, serveWorld, writeConf} from '../support/engine-world.ts';
import {ROOT_DIR} from '../support/sources.ts';

const KILLS = Number(process.env['CAISSON_KILLS'] ?? 12);
/** The limit makes a download last about so long, start of the program included. */
const RATE = '20M';
const LONGEST_MS = 3000;
const DEADLINE_MS = 180_000;

const folder = await mkdtemp(join(tmpdir(), 'engine-killed-'));
const world = await makeEngineWorld(folder, ['1.1.0']);
const server = await serveWorld(world, '1.1.0');
after(async () => {
  await server.close(0);
  await rm(folder, {recursive: true});
});
await writeConf(world, {
  SERVER: `${server.url}/v1/update/`,
  GROUP: 'stable',
  REBOOT_STRATEGY: 'reboot',
  DOWNLOAD_RATE_LIMIT: RATE,
});
const program = join(folder, 'engine.mjs');
await build({
  entryPoints: [join(ROOT_DIR, 'test/fixtures/engine-program.ts')],
  outfile: program,
  bundle: true,
  platform: 'node',
  format: 'esm',
  banner: {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"},
  external: ['esbuild', 'tsx'],
  logLevel: 'error',
});

/** Deterministic, so that a failing run can be looked at again. */
function* delays(): Generator<number, never, undefined> {
  for (let state = 20_251_121; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield (state / 2 ** 32) * LONGEST_MS;
  }
}

function launch(round: EngineWorld, rebooted: string): RunningProcess {
  const instructions = {paths: round.paths, disk: round.disk, active: 'A', version: '1.0.0', rebooted};
  return start(['node', program, JSON.stringify(instructions)]);
}

it(`killed ${KILLS} times, an update still ends in the new release`, {timeout: 20 * 60_000}, async () => {
  const delay = delays();
  let kills = 0;
  let rounds = 0;
  while (kills < KILLS) {
    rounds += 1;
    const copy = join(folder, `round-${rounds}`);
    await mkdir(copy);
    const round: EngineWorld = {...world, disk: join(copy, 'disk.raw')};
    await cp(world.disk, round.disk);
    await rm(world.paths.state, {recursive: true, force: true});
    const rebooted = join(copy, 'rebooted');
    const isDone = (): Promise<boolean> =>
      stat(rebooted).then(
        () => true,
        () => false,
      );
    while (kills < KILLS && !(await isDone())) {
      const engine = launch(round, rebooted);
      await Promise.race([sleep(delay.next().value), engine.ended]);
      engine.kill('SIGKILL');
      const {exitCode, stderr} = await engine.ended;
      assert.equal(exitCode, undefined, stderr);
      kills += 1;
      // Whenever it was: the machine would start a slot that is whole.
      const {slots, boot} = await readSlotsNow(imageSlotDisk(round.disk));
      const next = slots.find(({letter}) => letter === boot.letter);
      assert.deepEqual([boot.kind, next?.faults], ['boot', []], `after kill ${kills}`);
    }
    // An engine that finds the work done asks for the restart again.
    await rm(rebooted, {force: true});
    const last = launch(round, rebooted);
    const deadline = performance.now() + DEADLINE_MS;
    while (!(await isDone())) {
      assert.ok(performance.now() < deadline, 'the update never came to its end');
      await Promise.race([sleep(50), last.ended]);
    }
    last.kill('SIGTERM');
    const {exitCode, stderr} = await last.ended;
    assert.equal(exitCode, 0, stderr);
    const release = world.releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(round.disk, 'B', release)), 'the slot holds the release');
    const {table} = await imageSlotDisk(round.disk).useTable('read', readGpt);
    const choice = selectSlot(readSlots(table));
    assert.equal(choice.kind === 'boot' && choice.slot.letter, 'B');
    await rm(copy, {recursive: true});
  }
});

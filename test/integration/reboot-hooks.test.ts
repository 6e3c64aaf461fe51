/** Hooks as real programs, from the gate to the program that runs them, without systemd between. Needs sh. */
import assert from 'node:assert/strict';
import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {hooksRequestSchema, readDocument} from '../../update-engine/hooks/documents.ts';
import {runHooks} from '../../update-engine/hooks/run.ts';
import type {GateAnswer} from '../../update-engine/reboot/gate.ts';
import {openHookUnit} from '../../update-engine/reboot/hook-unit.ts';
import {type HooksGateParts, createHooksGate, runPostGoodHooks} from '../../update-engine/reboot/hooks.ts';

const PLAN = {kind: 'update', version: '0.2.0', previousVersion: '0.1.0'} as const;
let folder = '';
let stopped: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hooks-'));
  stopped = [];
});
afterEach(() => rm(folder, {recursive: true}));

async function write(stage: string, name: string, text: string): Promise<void> {
  const path = join(folder, 'hooks.d', stage, name);
  await mkdir(join(path, '..'), {recursive: true});
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

/** What hooks.mjs does as a unit. */
async function runUnit(unit: string, signal: AbortSignal, answerId?: string): Promise<void> {
  const stage = unit.includes('pre-reboot') ? 'pre-reboot' : 'post-good';
  const path = (kind: string): string => join(folder, 'run', `${stage}.${kind}.json`);
  const request = await readDocument(path('request'), hooksRequestSchema);
  const journal = {info: () => undefined, warn: () => undefined};
  const world = {hooks: join(folder, 'hooks.d'), signal, now: () => performance.now(), journal};
  const result = await runHooks(stage, request, world);
  await writeFile(path('result'), JSON.stringify({...result, id: answerId ?? result.id}));
  signal.throwIfAborted();
}

function parts(startUnit: HooksGateStart = runUnit, timeoutMs = 60_000): HooksGateParts {
  const unit = openHookUnit({
    exchange: join(folder, 'run'),
    randomId: () => 'the id',
    startUnit,
    stopUnit: (name) => {
      stopped.push(name);
      return Promise.resolve();
    },
  });
  return {hooks: join(folder, 'hooks.d'), unit, timeoutMs: () => ({kind: 'value', value: timeoutMs})};
}
type HooksGateStart = (unit: string, signal: AbortSignal) => Promise<void>;

function ask(options = parts(), signal = new AbortController().signal): Promise<GateAnswer> {
  return createHooksGate(options).ask(PLAN, signal);
}

describe('pre-reboot hooks', () => {
  it('run in order, know what is about to happen, and let the reboot pass', async () => {
    await write('pre-reboot', '20-b', `echo b >> ${folder}/saw`);
    // The test runner's own variable aside.
    await write(
      'pre-reboot',
      '10-a',
      `env | grep -v ^CAISSON_RELEASE_DIR= | grep ^CAISSON_ | sort > ${folder}/saw`,
    );
    assert.deepEqual(await ask(), {kind: 'open', detail: '2 pre-reboot hooks passed', againMs: null});
    assert.deepEqual((await readFile(join(folder, 'saw'), 'utf8')).trim().split('\n'), [
      'CAISSON_HOOK=pre-reboot',
      'CAISSON_PREVIOUS_VERSION=0.1.0',
      'CAISSON_REASON=update',
      'CAISSON_VERSION=0.2.0',
      'b',
    ]);
  });

  it('are named when they fail, and no other runs after', async () => {
    await write('pre-reboot', '10-a', 'echo the shop is open; exit 7');
    await write('pre-reboot', '20-b', `touch ${folder}/ran`);
    assert.deepEqual(await ask(), {
      kind: 'closed',
      detail: 'pre-reboot hooks failed: pre-reboot/10-a: exit code 7: the shop is open',
      againMs: 300_000,
    });
    await assert.rejects(readFile(join(folder, 'ran')));
  });

  it('are named when they hang', async () => {
    await write('pre-reboot', '10-a', 'echo waiting for godot; sleep 600');
    const {kind, detail} = await ask(parts(runUnit, 200));
    assert.equal(kind, 'closed');
    assert.match(detail, /pre-reboot\/10-a: did not end within 0\.2 s: waiting for godot$/);
  });

  it('are none without a folder', async () => {
    assert.deepEqual(await ask(), {kind: 'open', detail: 'no pre-reboot hooks', againMs: null});
    assert.deepEqual(stopped, []);
  });

  it('are not known to have passed when their unit fails, or leaves nothing, or what is not its own', async () => {
    await write('pre-reboot', '10-a', 'exit 0');
    const broken = await ask(parts(() => Promise.reject(new Error('no systemd'))));
    assert.deepEqual(
      [broken.kind, broken.detail],
      ['unknown', 'caisson-hooks@pre-reboot.service did not run: no systemd'],
    );
    // Once before, and once because nobody knows.
    assert.deepEqual(stopped, ['caisson-hooks@pre-reboot.service', 'caisson-hooks@pre-reboot.service']);
    const silent = await ask(parts(() => Promise.resolve()));
    assert.match(
      `${silent.kind} ${silent.detail}`,
      /^unknown caisson-hooks@pre-reboot.service left no result/,
    );
    const other = await ask(parts((unit, signal) => runUnit(unit, signal, 'another id')));
    assert.match(`${other.kind} ${other.detail}`, /^unknown .* left the result of another run/);
    const garbled = await ask(
      parts(() => writeFile(join(folder, 'run', 'pre-reboot.result.json'), '{"id":"the id","hooks":[]}')),
    );
    assert.match(`${garbled.kind} ${garbled.detail}`, /^unknown .* left no result/);
  });

  it('end with the unit when they are called off', async () => {
    await write('pre-reboot', '10-a', 'sleep 600');
    const calledOff = new AbortController();
    const begun = parts((unit, signal) => {
      setTimeout(() => calledOff.abort(new Error('called off')), 50);
      return runUnit(unit, signal);
    });
    await assert.rejects(ask(begun, calledOff.signal), /called off/);
    assert.deepEqual(stopped, ['caisson-hooks@pre-reboot.service', 'caisson-hooks@pre-reboot.service']);
  });
});

describe('post-good hooks', () => {
  const plan = {version: '0.2.0', previousVersion: '0.1.0', purpose: 'restart'} as const;
  const run = (): Promise<string | null> => runPostGoodHooks(plan, parts(), new AbortController().signal);

  it('all run, whatever becomes of each', async () => {
    assert.equal(await run(), null);
    await write('post-good', '10-a', 'echo no; exit 1');
    await write('post-good', '20-b', `echo $CAISSON_HOOK $CAISSON_REASON > ${folder}/saw`);
    assert.equal(await run(), 'post-good hooks failed: post-good/10-a: exit code 1: no');
    assert.equal(await readFile(join(folder, 'saw'), 'utf8'), 'post-good restart\n');
    await write('post-good', '10-a', 'exit 0');
    assert.equal(await run(), null);
  });
});

import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {EngineError, type Step, type StepResults, runSteps} from '../../../build/engine.ts';
import {type Log, silentLog} from '../../../platform/log.ts';

let cacheDir = '';
/** What the engine said, one line each. */
let said: string[] = [];
/** Names of the steps that ran, in order. */
let ran: string[] = [];
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'engine-'));
  [said, ran] = [[], []];
});
afterEach(() => rm(cacheDir, {recursive: true}));

const log: Log = {
  ...silentLog,
  info: (text) => said.push(text),
  detail: (text) => said.push(`detail ${text}`),
};

interface StepOptions {
  needs?: string[];
  inputs?: Record<string, string>;
  run?: (out: string, needed: StepResults) => Promise<unknown>;
}

/** A step that writes its name, unless told otherwise. */
function step(name: string, {needs = [], inputs = {}, run}: StepOptions = {}): Step {
  return {
    name,
    title: name,
    needs,
    inputs: () => Promise.resolve(inputs),
    async run(out, _progress, needed) {
      ran.push(name);
      await (run === undefined ? writeFile(join(out, 'file'), name) : run(out, needed));
    },
  };
}

function runAll(steps: readonly Step[], signal = new AbortController().signal): Promise<StepResults> {
  return runSteps(steps, {cacheDir, log, signal});
}

const results = async (name: string): Promise<string[]> => readdir(join(cacheDir, 'steps', name));

describe('runSteps', () => {
  it('runs a step once for the same inputs', async () => {
    const first = await runAll([step('a', {inputs: {colour: 'red'}})]);
    const second = await runAll([step('a', {inputs: {colour: 'red'}})]);
    assert.deepEqual(ran, ['a']);
    assert.deepEqual(second, first);
    assert.deepEqual(said, ['a: has no earlier result', 'detail a: unchanged']);
    assert.equal(await readFile(join(first.get('a')?.directory ?? '', 'file'), 'utf8'), 'a');
  });

  it('takes inputs in any order', async () => {
    await runAll([step('a', {inputs: {x: '1', y: '2'}})]);
    await runAll([step('a', {inputs: {y: '2', x: '1'}})]);
    assert.deepEqual(ran, ['a']);
  });

  it('says which inputs changed, came and went', async () => {
    await runAll([step('a', {inputs: {colour: 'red', size: '1', shape: 'round'}})]);
    await runAll([step('a', {inputs: {colour: 'blue', size: '1', weight: '2'}})]);
    assert.equal(said.at(-1), 'a: colour changed, shape is gone, weight is new');
    const many = Object.fromEntries(['p', 'q', 'r', 's', 't', 'u'].map((name) => [name, 'x']));
    await runAll([step('a', {inputs: {...many, colour: 'blue', size: '1', weight: '2'}})]);
    assert.equal(said.at(-1), 'a: p is new, q is new, r is new, s is new and 2 more');
  });

  it('stops at a step whose result came out the same', async () => {
    const plan = (colour: string): Step[] => [
      step('a', {inputs: {colour}, run: (out) => writeFile(join(out, 'file'), 'always this')}),
      step('b', {needs: ['a']}),
    ];
    await runAll(plan('red'));
    await runAll(plan('blue'));
    assert.deepEqual(ran, ['a', 'b', 'a']);
    assert.equal(said.at(-1), 'detail b: unchanged');
  });

  it('goes on with a step whose result came out different, and names it', async () => {
    const plan = (colour: string): Step[] => [
      step('a', {inputs: {colour}, run: (out) => writeFile(join(out, 'file'), colour)}),
      step('b', {
        needs: ['a'],
        run: async (out, needed) => {
          const text = await readFile(join(needed.get('a')?.directory ?? '', 'file'), 'utf8');
          await writeFile(join(out, 'file'), `${text}!`);
        },
      }),
    ];
    await runAll(plan('red'));
    const made = await runAll(plan('blue'));
    assert.equal(said.at(-1), 'b: step a changed');
    assert.equal(await readFile(join(made.get('b')?.directory ?? '', 'file'), 'utf8'), 'blue!');
  });

  it('tells results apart by names, content, links and directories', async () => {
    const shapes: ((out: string) => Promise<unknown>)[] = [
      () => Promise.resolve(),
      (out) => writeFile(join(out, 'a'), ''),
      (out) => writeFile(join(out, 'b'), ''),
      (out) => writeFile(join(out, 'a'), 'x'),
      (out) => mkdir(join(out, 'a')),
      (out) => symlink('x', join(out, 'a')),
      (out) => symlink('y', join(out, 'a')),
    ];
    const digests = new Set<string>();
    for (const [index, run] of shapes.entries()) {
      const made = await runAll([step('a', {inputs: {index: String(index)}, run})]);
      digests.add(made.get('a')?.digest ?? '');
    }
    assert.equal(digests.size, shapes.length);
  });

  it('leaves nothing of a step that failed, and runs it again', async () => {
    const failing = step('a', {
      run: async (out) => {
        await writeFile(join(out, 'half'), 'x');
        throw new Error('broken tool');
      },
    });
    await assert.rejects(runAll([failing, step('b', {needs: ['a']})]), /broken tool/);
    assert.deepEqual(ran, ['a']);
    assert.deepEqual(await results('a'), []);
    await runAll([step('a')]);
    assert.deepEqual(ran, ['a', 'a']);
  });

  it('waits for the other steps before an error leaves, and starts no more', async () => {
    let isSlowDone = false;
    const slow = step('slow', {
      run: async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        isSlowDone = true;
      },
    });
    const failing = step('failing', {run: () => Promise.reject(new Error('no'))});
    await assert.rejects(runAll([slow, failing, step('after', {needs: ['slow']})]), /no/);
    assert.equal(isSlowDone, true);
    assert.deepEqual(ran.sort(), ['failing', 'slow']);
  });

  it('runs independent steps beside each other', async () => {
    const meeting: (() => void)[] = [];
    const meet = (): Promise<void> =>
      new Promise((resolve) => {
        meeting.push(resolve);
        if (meeting.length === 2) for (const go of meeting) go();
      });
    await runAll([step('a', {run: meet}), step('b', {run: meet})]);
    assert.deepEqual(ran.sort(), ['a', 'b']);
  });

  it('hands over each result before the steps that need it begin', async () => {
    const seen: string[] = [];
    await runSteps([step('a'), step('b', {needs: ['a'], run: () => Promise.resolve(seen.push('b runs'))})], {
      cacheDir,
      log,
      signal: new AbortController().signal,
      onResult: (name) => seen.push(`result of ${name}`),
    });
    assert.deepEqual(seen, ['result of a', 'b runs', 'result of b']);
  });

  it('starts nothing when it is told to stop, and keeps no result of what it was in', async () => {
    await assert.rejects(runAll([step('a')], AbortSignal.abort(new Error('stopped'))), /stopped/);
    assert.deepEqual(ran, []);
    const stopping = new AbortController();
    const plan = [
      step('a', {run: () => Promise.resolve(stopping.abort(new Error('stopped')))}),
      step('b', {needs: ['a']}),
    ];
    await assert.rejects(runAll(plan, stopping.signal), /stopped/);
    assert.deepEqual(ran, ['a']);
    assert.deepEqual(await results('a'), []);
  });

  it('refuses a plan that cannot be run, before any of it runs', async () => {
    const bad = [
      [step('a'), step('b', {needs: ['c']}), step('c')],
      [step('a', {needs: ['a']})],
      [step('a'), step('a')],
    ];
    for (const plan of bad) await assert.rejects(runAll(plan), EngineError);
    assert.deepEqual(ran, []);
  });

  it('keeps the three results that were used last', async () => {
    for (const colour of ['1', '2', '3', '4']) {
      await runAll([step('a', {inputs: {colour}})]);
      // Far apart, because a file system may count whole seconds only.
      for (const name of await results('a')) {
        const path = join(cacheDir, 'steps', 'a', name);
        const {inputs} = JSON.parse(await readFile(join(path, '.step.json'), 'utf8')) as {
          inputs: {colour: string};
        };
        await utimes(path, 1000 * Number(inputs.colour), 1000 * Number(inputs.colour));
      }
    }
    assert.equal((await results('a')).length, 3);
    await runAll([step('a', {inputs: {colour: '2'}})]);
    assert.equal(ran.length, 4);
    await runAll([step('a', {inputs: {colour: '5'}})]);
    await runAll([step('a', {inputs: {colour: '2'}})]);
    assert.equal(ran.length, 5);
    await runAll([step('a', {inputs: {colour: '3'}})]);
    assert.equal(ran.length, 6);
  });

  it('makes a result anew whose description is damaged', async () => {
    const [made] = (await runAll([step('a')])).values();
    const description = join(made?.directory ?? '', '.step.json');
    for (const text of ['', '{', '{"inputs": {}}', '[]']) {
      await writeFile(description, text);
      await runAll([step('a')]);
    }
    assert.equal(ran.length, 5);
  });
});

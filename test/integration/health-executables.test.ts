/** Checks of the operator as real programs. Needs sh. */
import assert from 'node:assert/strict';
import {chmod, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {findExecutables} from '../../update-engine/executables.ts';

let parent = '';
let folder = '';
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'executables-'));
  folder = join(parent, 'health.d');
  await mkdir(folder);
});
afterEach(() => rm(parent, {recursive: true}));

async function write(name: string, text: string, mode = 0o755): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`);
  await chmod(join(folder, name), mode);
}

async function run(options: {timeoutMs?: number; signal?: AbortSignal} = {}): Promise<string[]> {
  const checks = await findExecutables({
    folder,
    timeoutMs: options.timeoutMs ?? 10_000,
    env: {CAISSON_SLOT: 'B', CAISSON_ON_TRIAL: '1'},
  });
  const lines: string[] = [];
  for (const check of checks) {
    const {passed, detail} = await check.run(options.signal ?? new AbortController().signal);
    lines.push(`${check.name} ${passed ? 'passed' : 'failed'} ${detail}`.trim());
  }
  return lines;
}

describe('executables in health.d', () => {
  it('run in the order of their names, and say why they fail', async () => {
    await write('20-b', 'echo "no answer from $CAISSON_SLOT" >&2; echo more; exit 3');
    await write('10-a', 'test "$CAISSON_ON_TRIAL" = 1 && pwd');
    const [first, second] = await run();
    assert.equal(first, 'health.d/10-a passed /');
    assert.match(
      second ?? '',
      /^health\.d\/20-b failed exit code 3: (no answer from B more|more no answer from B)$/,
    );
  });

  it('are none when the folder is missing', async () => {
    await rm(folder, {recursive: true});
    assert.deepEqual(await run(), []);
    await mkdir(folder);
  });

  it('leaves folders, hidden files and what editors leave behind alone', async () => {
    await mkdir(join(folder, 'sub'));
    for (const name of ['.hidden', 'check~', 'check.bak', 'check.dpkg-old', 'a b'])
      await write(name, 'exit 1');
    assert.deepEqual(await run(), []);
  });

  it('fails what cannot be run, because it was put there for a reason', async () => {
    await write('10-mode', 'exit 0', 0o644);
    await symlink('nowhere', join(folder, '20-link'));
    await writeFile(join(folder, '30-interpreter'), '#!/usr/bin/no-such-program\n', {mode: 0o755});
    const [mode, link, interpreter] = await run();
    assert.equal(mode, 'health.d/10-mode failed is not executable (chmod +x)');
    assert.equal(link, 'health.d/20-link failed the link leads to no file');
    assert.match(
      interpreter ?? '',
      /^health\.d\/30-interpreter failed needs a program that is not on the host/,
    );
  });

  it('ends what takes too long, also one that does not want to end', async () => {
    await write('10-slow', 'trap "" TERM; sleep 60');
    const startedAt = performance.now();
    const [line] = await run({timeoutMs: 100});
    assert.equal(line, 'health.d/10-slow failed did not end within 0.1 s');
    // Not when the child of the shell ends, which holds the same pipe.
    assert.ok(performance.now() - startedAt < 50_000);
  });

  it('stops at the deadline of all checks', async () => {
    await write('10-slow', 'sleep 60');
    const [line] = await run({signal: AbortSignal.timeout(100)});
    assert.equal(line, 'health.d/10-slow failed was stopped before it ended');
  });

  it('keeps little of what one prints, and that is what it said last', async () => {
    await write('10-loud', 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo the reason; exit 1');
    const [line] = await run();
    assert.ok((line ?? '').length < 700, String(line?.length));
    assert.match(line ?? '', /^health\.d\/10-loud failed exit code 1: x+ the reason$/);
  });
});

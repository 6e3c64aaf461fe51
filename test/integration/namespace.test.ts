/** Builds inside a namespace leave nothing behind, however they end; needs root or subordinate ids, as builds do. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {type RunningProcess, exec, start} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {isInNamespace} from '../../platform/namespace.ts';
import {skipWithout} from '../support/tool.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/namespace-program.ts');
const folder = await mkdtemp(join(tmpdir(), 'namespace-'));
after(() => rm(folder, {recursive: true}));

interface Run {
  directory: string;
  lock: string;
  process: RunningProcess;
  log(): Promise<string>;
}

let runs = 0;
async function run(task: string, lock = join(folder, `lock-${(runs += 1)}`)): Promise<Run> {
  const directory = join(folder, `run-${(runs += 1)}`);
  await mkdir(join(directory, 'mount'), {recursive: true});
  const argv = [process.execPath, ...process.execArgv.filter((word) => !word.startsWith('--test'))] as const;
  const child = start([argv[0], ...argv.slice(1), PROGRAM, lock, directory, task]);
  const log = (): Promise<string> => readFile(join(directory, 'log'), 'utf8').catch(() => '');
  return {directory, lock, process: child, log};
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2400; tries += 1) {
    if (await isTrue()) return;
    await sleep(50);
  }
  assert.fail(`after two minutes: not yet ${what}`);
}

const untilReady = (started: Run): Promise<void> =>
  until('ready', async () => (await started.log()).includes('ready'));

async function isLocked(lock: string): Promise<boolean> {
  return (await exec(['flock', '--nonblock', lock, 'true'], {okCodes: [0, 1]})).exitCode === 1;
}

/** Processes with the directory on their command line, and mounts below it, as this machine sees them. */
async function remains({directory}: Run): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.includes(directory)) found.push(words.replaceAll('\0', ' '));
  }
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
  return [...found, ...mounts.filter((line) => line.includes(directory))];
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

async function requireGone(ended: Run): Promise<void> {
  await until('gone', async () => (await remains(ended)).length === 0 && !(await isLocked(ended.lock)));
  assert.deepEqual(await readdir(join(ended.directory, 'mount')), []);
}

describe(
  'reenterInNamespace',
  {skip: await skipWithout(['unshare', 'flock', 'setpriv'], 'util-linux')},
  () => {
    it('gives back the exit code and leaves no mount', async () => {
      const started = await run('exit');
      assert.equal((await started.process.ended).exitCode, 42);
      assert.equal(await started.log(), 'ready\n');
      await requireGone(started);
    });

    it('ends everything when this process is killed without warning', async () => {
      const started = await run('wait');
      await untilReady(started);
      assert.equal(await isLocked(started.lock), true);
      assert.notDeepEqual(await remains(started), []);
      started.process.kill('SIGKILL');
      await started.process.ended;
      await requireGone(started);
      assert.equal(await started.log(), 'ready\n');
    });

    it('lets the program tidy up when it is told to stop', async () => {
      const started = await run('wait');
      await untilReady(started);
      started.process.kill('SIGTERM');
      assert.equal((await started.process.ended).exitCode, 130);
      assert.equal(await started.log(), 'ready\ntidied\n');
      await requireGone(started);
    });

    it('fails, with a word on it, when something killed the program', async () => {
      const started = await run('wait');
      await untilReady(started);
      const [unshare = 0] = await childrenOf(started.process.pid ?? 0);
      const [program = 0] = await childrenOf(unshare);
      process.kill(program, 'SIGKILL');
      const {exitCode, stderr} = await started.process.ended;
      assert.equal(exitCode, 1);
      // The unshare of util-linux 2.38 trips over itself here; later ones die of the same signal.
      assert.match(stderr, /command ended by SIGKILL|^unshare: sigprocmask/m);
      await requireGone(started);
    });

    it('waits for another one that holds the lock', async () => {
      const first = await run('wait');
      await untilReady(first);
      const second = await run('exit', first.lock);
      await until('waiting', () => pathExists(join(second.directory, 'waits')));
      assert.equal(await second.log(), '');
      first.process.kill('SIGTERM');
      assert.equal((await second.process.ended).exitCode, 42);
      await first.process.ended;
      await requireGone(first);
    });

    it('is not fooled by a variable of the environment', () => {
      process.env['CAISSON_NAMESPACE'] = '1';
      try {
        assert.equal(isInNamespace(), false);
      } finally {
        delete process.env['CAISSON_NAMESPACE'];
      }
    });
  },
);

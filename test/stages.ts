/**
 * What `npm test` consists of, in order. A stage that prepares something for the later ones (packages of the host, a
 * build that all tests share) is an entry before them: it passes or fails like any other, and hands over by
 * `context`.
 */
import {dirname, join} from 'node:path';
import type {Writable} from 'node:stream';
import {type Argv, exec, ExecError} from '../platform/exec.ts';
import {BUILD_PROGRAMS, installMissing, RUN_PROGRAMS, TEST_PROGRAMS} from '../platform/host-packages.ts';
import {pathExists} from '../platform/files.ts';
import {runTests, type TestRun} from './runner/node-tests.ts';
import type {Result} from './runner/tally.ts';
import {keysBeside} from './support/release.ts';

export interface StageContext {
  root: string;
  /** Only test files whose path contains this. */
  pattern: string | undefined;
  output: Writable;
  signal: AbortSignal;
  /** The release that tests of images and machines use; they find it in CAISSON_RELEASE_DIR. */
  releaseFolder: string | undefined;
}

export interface Stage {
  name: string;
  /** `all`: only with `--all` or by name. */
  when: 'default' | 'all';
  /** Whether a pattern selects among what it does; otherwise a pattern leaves it out. */
  takesPattern: boolean;
  /** Stages before this one without which it cannot run. */
  needs: readonly string[];
  run(context: StageContext): Promise<Result>;
}

const MINUTE_MS = 60_000;

export const stages: readonly Stage[] = [
  {
    name: 'setup',
    when: 'default',
    takesPattern: false,
    needs: [],
    run: (context) => timed('setup', () => installHostPackages(context)),
  },
  {
    name: 'lint',
    when: 'default',
    takesPattern: false,
    needs: [],
    run: (context) =>
      check(context, 'lint', [
        ['node', tool(context, 'eslint/bin/eslint.js'), '.'],
        ['node', tool(context, 'prettier/bin/prettier.cjs'), '--check', '.'],
      ]),
  },
  {
    name: 'typecheck',
    when: 'default',
    takesPattern: false,
    needs: [],
    run: (context) =>
      check(context, 'typecheck', [['node', tool(context, 'typescript/bin/tsc'), '--noEmit']]),
  },
  tests('unit', 'default', [], {timeoutMs: 5 * MINUTE_MS}),
  {
    name: 'build',
    when: 'default',
    takesPattern: false,
    needs: ['setup'],
    run: (context) => timed('build', () => buildRelease(context)),
  },
  // Few at a time: they start real tools, some of which use all processors themselves.
  tests('integration', 'default', ['build'], {timeoutMs: 25 * MINUTE_MS, concurrency: 2}),
  {
    name: 'crash-matrix',
    when: 'all',
    takesPattern: false,
    needs: ['setup'],
    run: ({root, output, signal}) => {
      process.env['CAISSON_CRASH_MATRIX'] ??= 'whole';
      const folder = join(root, 'test/integration');
      return runTests({folder, pattern: 'update-crash-matrix', output, signal, timeoutMs: 25 * MINUTE_MS});
    },
  },
  {
    name: 'engine-kills',
    when: 'all',
    takesPattern: false,
    needs: ['setup'],
    run: ({root, output, signal}) => {
      process.env['CAISSON_KILLS'] ??= '200';
      const folder = join(root, 'test/integration');
      return runTests({folder, pattern: 'engine-killed', output, signal, timeoutMs: 40 * MINUTE_MS});
    },
  },
  {
    name: 'publish-kills',
    when: 'all',
    takesPattern: false,
    needs: ['setup'],
    run: ({root, output, signal}) => {
      process.env['CAISSON_PUBLISH_KILLS'] ??= '24';
      const folder = join(root, 'test/integration');
      return runTests({folder, pattern: 'publish-killed', output, signal, timeoutMs: 40 * MINUTE_MS});
    },
  },
  {
    name: 'model-check',
    when: 'all',
    takesPattern: false,
    needs: ['build'],
    run: ({root, output, signal, releaseFolder}) => {
      if (releaseFolder !== undefined) process.env['CAISSON_RELEASE_DIR'] = releaseFolder;
      process.env['CAISSON_LOCK_OPERATIONS'] ??= '10000';
      const folder = join(root, 'test/integration');
      return runTests({folder, pattern: 'lock-model', output, signal, timeoutMs: 40 * MINUTE_MS});
    },
  },
  // A machine that boots keeps one processor busy, and little more.
  tests('vm', 'default', ['build'], {timeoutMs: 60 * MINUTE_MS, concurrency: 2}),
  tests('vm-long', 'all', ['build'], {timeoutMs: 120 * MINUTE_MS, concurrency: 1}),
];

async function installHostPackages({output}: StageContext): Promise<void> {
  await installMissing([...BUILD_PROGRAMS, ...RUN_PROGRAMS, ...TEST_PROGRAMS], {
    path: process.env['PATH'] ?? '',
    isRoot: process.getuid?.() === 0,
    onInstall: (packages) => output.write(`Installing with apt: ${packages.join(' ')}\n`),
    onLine: () => undefined,
  });
}

/**
 * The one release that all tests of images and machines share; CAISSON_RELEASE_DIR names one that is there already. It
 * trusts keys of its own, so that tests can sign updates and channels for it, and therefore does not lie where releases for
 * people do.
 */
async function buildRelease(context: StageContext): Promise<void> {
  if (context.releaseFolder !== undefined) return;
  const caisson = join(context.root, 'caisson');
  const out = join(context.root, 'out/test');
  const keys = keysBeside(out);
  for (const purpose of ['update', 'channel'] as const) {
    const {privateKey} = keys[purpose];
    const options = [
      '--for',
      purpose,
      '--out',
      dirname(privateKey),
      '--subject',
      `Caisson tests, ${purpose}`,
    ];
    if (!(await pathExists(privateKey))) await exec([caisson, 'keys', ...options, '--force']);
  }
  const trusted = ['--update-key', keys.update.publicKey, '--channel-key', keys.channel.publicKey];
  const {stdout} = await exec([caisson, 'build', '--json', '--out', out, ...trusted], {
    cwd: context.root,
    signal: context.signal,
    timeoutMs: 30 * MINUTE_MS,
    onLine: (line) => {
      if (/^[\w-].*(: |\.\.\.)/.test(line)) context.output.write(`${line}\n`);
    },
  });
  context.releaseFolder = (JSON.parse(stdout) as {directory: string}).directory;
}

function tests(
  name: string,
  when: Stage['when'],
  needs: readonly string[],
  limits: Pick<TestRun, 'timeoutMs' | 'concurrency'>,
): Stage {
  return {
    name,
    when,
    takesPattern: true,
    needs,
    run({root, pattern, output, signal, releaseFolder}) {
      // Node's runner gives its own environment to the files' processes, and takes no other.
      if (releaseFolder !== undefined) process.env['CAISSON_RELEASE_DIR'] = releaseFolder;
      return runTests({...limits, folder: join(root, 'test', name), pattern, output, signal});
    },
  };
}

/** Preparations count as one: done or not. */
async function timed(name: string, work: () => Promise<void>): Promise<Result> {
  const startedAt = performance.now();
  await work();
  return {passed: 1, failures: [], times: [{file: name, seconds: (performance.now() - startedAt) / 1000}]};
}

/** Runs commands that say what is wrong; all of them together count as one. */
async function check(context: StageContext, name: string, commands: readonly Argv[]): Promise<Result> {
  const startedAt = performance.now();
  const complaints: string[] = [];
  for (const argv of commands) {
    try {
      await exec(argv, {cwd: context.root, signal: context.signal, timeoutMs: 20 * MINUTE_MS});
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      complaints.push(error.message);
    }
  }
  for (const complaint of complaints) context.output.write(`${complaint}\n`);
  return {
    passed: complaints.length === 0 ? 1 : 0,
    failures: complaints.length === 0 ? [] : [{file: name, name: 'commands', message: complaints.join('\n')}],
    times: [{file: name, seconds: (performance.now() - startedAt) / 1000}],
  };
}

function tool(context: StageContext, path: string): string {
  return join(context.root, 'node_modules', path);
}

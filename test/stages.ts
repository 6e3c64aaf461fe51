/**
 * What `npm test` consists of, in order. A stage that prepares something for the later ones (packages of the host, a
 * build that all tests share) is an entry before them: it passes or fails like any other, and hands over by
 * `context`.
 */
import {join} from 'node:path';
import type {Writable} from 'node:stream';
import {type Argv, exec, ExecError} from '../platform/exec.ts';
import {runTests, type TestRun} from './runner/node-tests.ts';
import type {Result} from './runner/tally.ts';

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
  run(context: StageContext): Promise<Result>;
}

const MINUTE_MS = 60_000;

export const stages: readonly Stage[] = [
  {
    name: 'lint',
    when: 'default',
    takesPattern: false,
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
    run: (context) =>
      check(context, 'typecheck', [['node', tool(context, 'typescript/bin/tsc'), '--noEmit']]),
  },
  tests('unit', 'default', {timeoutMs: 5 * MINUTE_MS}),
  // Few at a time: they start real tools, some of which use all processors themselves.
  tests('integration', 'default', {timeoutMs: 15 * MINUTE_MS, concurrency: 2}),
  tests('vm', 'all', {timeoutMs: 90 * MINUTE_MS, concurrency: 1}),
];

function tests(name: string, when: Stage['when'], limits: Pick<TestRun, 'timeoutMs' | 'concurrency'>): Stage {
  return {
    name,
    when,
    takesPattern: true,
    run({root, pattern, output, signal, releaseFolder}) {
      // Node's runner gives its own environment to the files' processes, and takes no other.
      if (releaseFolder !== undefined) process.env['CAISSON_RELEASE_DIR'] = releaseFolder;
      return runTests({...limits, folder: join(root, 'test', name), pattern, output, signal});
    },
  };
}

/** Runs commands that say what is wrong; all of them together count as one. */
async function check(context: StageContext, name: string, commands: readonly Argv[]): Promise<Result> {
  const startedAt = performance.now();
  const complaints: string[] = [];
  for (const argv of commands) {
    try {
      await exec(argv, {cwd: context.root, signal: context.signal, timeoutMs: 10 * MINUTE_MS});
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

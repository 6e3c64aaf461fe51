/**
 * The test runner: `tools/ts test/main.ts [STAGE] [--all] [PATTERN]`.
 *
 * Without arguments every stage of `npm test` runs; `--all` adds the long ones. STAGE runs one of them with what it
 * needs, PATTERN only the test files whose path contains it. The last line is `N passed, N failed`.
 */
import {setMaxListeners} from 'node:events';
import {dirname, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {abortOnSignals} from '../platform/interruption.ts';
import type {Failure, FileTime, Result} from './runner/tally.ts';
import {type Stage, type StageContext, stages} from './stages.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function main(argv: readonly string[]): Promise<boolean> {
  const {values, positionals} = parseArgs({
    args: [...argv],
    options: {all: {type: 'boolean', default: false}},
    allowPositionals: true,
  });
  const stage = stages.find(({name}) => name === positionals[0]);
  const [pattern, ...excess] = stage === undefined ? positionals : positionals.slice(1);
  if (excess.length > 0) throw new Error(`expected one pattern, got also ${excess.join(' ')}`);

  const selected = withNeeds(stage === undefined ? selectStages(values.all, pattern) : [stage]);
  const interrupted = new AbortController();
  // Every test file's process listens, and Node warns beyond ten.
  setMaxListeners(0, interrupted.signal);
  abortOnSignals(interrupted, ['SIGINT', 'SIGTERM'], (signal) => new Error(`stopped by ${signal}`));
  const context: StageContext = {
    root,
    pattern,
    output: process.stdout,
    signal: interrupted.signal,
    releaseFolder: process.env['CAISSON_RELEASE_DIR'],
  };
  const ownWarnings: Failure[] = [];
  process.on('warning', ({name, message}) =>
    ownWarnings.push({file: 'test/main.ts', name: 'process warning', message: `${name}: ${message}`}),
  );
  const results: Result[] = [{passed: 0, failures: ownWarnings, times: []}];
  for (const each of selected) {
    if (interrupted.signal.aborted) break;
    console.log(`== ${each.name}`);
    results.push(await each.run(context).catch((error: unknown) => crashed(each.name, error)));
  }
  return report(results);
}

function selectStages(all: boolean, pattern: string | undefined): Stage[] {
  return stages.filter(
    ({when, takesPattern}) => (all || when === 'default') && (pattern === undefined || takesPattern),
  );
}

/** The stages and everything they need, in the order of the list. */
function withNeeds(selected: readonly Stage[]): Stage[] {
  const names = new Set(selected.map(({name}) => name));
  for (const {name, needs} of [...stages].reverse())
    if (names.has(name)) needs.forEach((need) => names.add(need));
  return stages.filter(({name}) => names.has(name));
}

function crashed(stage: string, error: unknown): Result {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {passed: 0, failures: [{file: stage, name: 'the stage itself', message}], times: []};
}

/** Prints what took how long, what failed, and the sum; true when something passed and nothing failed. */
function report(results: readonly Result[]): boolean {
  const times = results.flatMap((result) => result.times);
  if (times.length > 0) console.log(`\n== seconds by file\n${times.map(describeTime).join('\n')}`);
  const failures = results.flatMap((result) => result.failures);
  if (failures.length > 0) console.log(`\n== failed\n${failures.map(describeFailure).join('\n\n')}`);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  if (passed + failures.length === 0) console.log('\nno test matches');
  console.log(`\n${passed} passed, ${failures.length} failed`);
  return passed > 0 && failures.length === 0;
}

function describeTime({file, seconds}: FileTime): string {
  return `${seconds.toFixed(1).padStart(8)}  ${shorten(file)}`;
}

function describeFailure({file, name, message}: Failure): string {
  return `${shorten(file)}: ${name}\n${message.replace(/^/gm, '    ')}`;
}

function shorten(file: string): string {
  return file.startsWith(root) ? relative(root, file) : file;
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  console.error(`test: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}

/**
 * caissonctl, update_engine_client and locksmithctl: one program, told apart by the name it is called by. Reads the arguments, asks
 * the engine, prints, and ends with a code that scripts can branch on.
 */
import {basename, resolve} from 'node:path';
import {isCodedError} from '../../formats/errors.ts';
import {ClientError, type EngineClient, createEngineClient} from '../api/client.ts';
import {abortOnSignals} from '../../platform/interruption.ts';
import {ApiError} from '../api/protocol.ts';
import {HOST_PATHS} from '../paths.ts';
import {readIdentity} from '../identity.ts';
import {type LockCommand, UsageError, isLockCommand, parseCommand} from './arguments.ts';
import {EXIT_CODES} from './help.ts';
import {LINEAGE_HELP, parseLineage} from './lineage.ts';
import {runLock} from './lock.ts';
import {LOCKSMITH_HELP, parseLocksmith, runLocksmith} from './locksmith.ts';
import {runLineage} from './run-lineage.ts';
import {describeOffline, readHostSlots} from './offline.ts';
import {type Terminal, runCommand} from './run.ts';

const interrupted = new AbortController();
abortOnSignals(interrupted, ['SIGINT', 'SIGTERM'], (signal) => new Error(`stopped by ${signal}`));
// Whoever reads has had enough, for example `head`.
process.stdout.on('error', () => process.exit(EXIT_CODES.failed));

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  note: (text) => process.stderr.write(text),
  now: () => Date.now(),
  resolve: (path) => resolve(path),
  signal: interrupted.signal,
};

const name = basename(process.argv[1] ?? '');
const words = process.argv.slice(2);
try {
  const client = createEngineClient(HOST_PATHS);
  process.exitCode = await run(client);
} catch (error) {
  process.exitCode = interrupted.signal.aborted ? 130 : explain(error);
  if (process.exitCode === EXIT_CODES.notRunning) await showDisk();
}

function run(client: EngineClient): Promise<number> {
  if (name === 'update_engine_client') return updateEngineClient(client);
  if (name === 'locksmithctl') return locksmithctl(client);
  const command = parseCommand(words);
  return isLockCommand(command) ? lock(command) : runCommand(command, client, terminal);
}

async function updateEngineClient(client: EngineClient): Promise<number> {
  const parsed = parseLineage(words);
  if ('flag' in parsed) return runLineage(parsed.flag, client, terminal);
  terminal.note(`update_engine_client: ${parsed.problem}\n\n${LINEAGE_HELP}`);
  return EXIT_CODES.failed;
}

async function locksmithctl(client: EngineClient): Promise<number> {
  const parsed = parseLocksmith(words);
  if ('problem' in parsed) {
    terminal.note(`locksmithctl: ${parsed.problem}\n\n${LOCKSMITH_HELP}`);
    return parsed.code;
  }
  const {withLockKeeper} = await import('./open-lock.ts');
  const {version} = await readIdentity(HOST_PATHS);
  return withLockKeeper(HOST_PATHS, {env: process.env, flags: parsed.flags}, (keeper, self) =>
    runLocksmith(parsed.verb, {keeper, client, self, version}, terminal),
  );
}

async function lock(command: LockCommand): Promise<number> {
  const {withLockKeeper} = await import('./open-lock.ts');
  return withLockKeeper(HOST_PATHS, {env: {}, flags: command.flags}, (keeper, self) =>
    runLock(command, {keeper, self}, terminal),
  );
}

/** For those who wanted the status as text. */
async function showDisk(): Promise<void> {
  const isStatus = name === 'caissonctl' && (words[0] ?? 'status') === 'status' && !words.includes('--json');
  if (!isStatus) return;
  try {
    terminal.out(await describeOffline(HOST_PATHS, readHostSlots));
  } catch (error) {
    terminal.note(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function explain(error: unknown): number {
  if (!isCodedError(error)) {
    terminal.note(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT_CODES.failed;
  }
  terminal.note(`${name}: ${error.message}\n`);
  if (error.hint !== undefined) terminal.note(`hint: ${error.hint}\n`);
  if (error instanceof UsageError) return EXIT_CODES.usage;
  if (error instanceof ClientError && error.code === 'not-running') return EXIT_CODES.notRunning;
  if (error instanceof ClientError && error.code === 'not-root') return EXIT_CODES.notRoot;
  const isRefused = error instanceof ApiError && (error.code === 'refused' || error.code === 'busy');
  return isRefused ? EXIT_CODES.refused : EXIT_CODES.failed;
}

/**
 * Programs of the operator in a folder: health checks, hooks. Each is run in the order of the names. Exit code 0 passes;
 * what a program that fails prints is its reason. Each has a time of its own, so that one that hangs is named, and does
 * not take the others' place in the report.
 */
import {readdir, stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {ExecError, exec} from '../platform/exec.ts';

export interface ExecutableOptions {
  readonly folder: string;
  readonly timeoutMs: number;
  /** What an executable may want to know. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ExecutableEnd {
  readonly passed: boolean;
  /** What it printed, or why it failed; may be empty when it passed. */
  readonly detail: string;
}

export interface Executable {
  /** `health.d/10-disk`: the last part of the folder, and the file. */
  readonly name: string;
  /** Never throws but for its signal. */
  run(signal: AbortSignal): Promise<ExecutableEnd>;
}

/** systemd's rule for folders of drop-ins: what editors and package managers leave behind does not count. */
const NAME = /^[A-Za-z0-9][\w.-]{0,126}$/;
const LEFTOVERS = /(~|\.(bak|orig|rej|swp|tmp|dpkg-\w+))$/;
/** Nobody has so many; a folder that was filled by mistake must not eat the deadline. */
const MAX_EXECUTABLES = 100;
/** Of what one prints last: what does not fit into a report is left to the journal of whoever wrote it. */
const MAX_OUTPUT_CHARACTERS = 600;

/**
 * In the order of their names; none when the folder is missing. Too many are one that fails. Throws what reading the
 * folder throws.
 */
export async function findExecutables(options: ExecutableOptions): Promise<readonly Executable[]> {
  const names = await readdir(options.folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const label = basename(options.folder);
  const found: Executable[] = [];
  for (const name of names.filter((each) => NAME.test(each) && !LEFTOVERS.test(each)).sort()) {
    const path = join(options.folder, name);
    const info = await stat(path).catch(() => undefined);
    // A link to nothing was put there to do something: passing it over would pass a host unseen.
    if (info?.isDirectory() === true) continue;
    found.push({
      name: `${label}/${name}`,
      run: (signal) => runExecutable(path, info?.mode, options, signal),
    });
  }
  if (found.length <= MAX_EXECUTABLES) return found;
  const detail = `${options.folder} holds ${found.length} files, at most ${MAX_EXECUTABLES} are run`;
  return [{name: label, run: () => Promise.resolve({passed: false, detail})}];
}

/** For one that does not want to end when it is told to. */
const KILL_AFTER_SECONDS = 1;
/** In case timeout(1) itself hangs. */
const BACKSTOP_SECONDS = 10;
/** What timeout(1) ends with when the time was up, and a shell or timeout(1) when there is no such program. */
const TIMED_OUT = 124;
const NOT_FOUND = 127;

async function runExecutable(
  path: string,
  mode: number | undefined,
  {timeoutMs, env}: ExecutableOptions,
  signal: AbortSignal,
): Promise<ExecutableEnd> {
  if (mode === undefined) return {passed: false, detail: 'the link leads to no file'};
  if ((mode & 0o100) === 0) return {passed: false, detail: 'is not executable (chmod +x)'};
  let output = '';
  const onLine = (line: string): void => {
    output = `${output} ${line}`.trim().slice(-MAX_OUTPUT_CHARACTERS);
  };
  try {
    // timeout(1) makes a group of what it runs, and ends all of it: a child left behind would hold the pipe, and us.
    const limit = `${timeoutMs / 1000}s`;
    await exec(['timeout', `--kill-after=${KILL_AFTER_SECONDS}s`, limit, path], {
      ...{signal, env, onLine, cwd: '/'},
      timeoutMs: timeoutMs + 1000 * BACKSTOP_SECONDS,
    });
    return {passed: true, detail: output};
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const said = output === '' ? '' : `: ${output}`;
    return {passed: false, detail: `${describeEnd(error, timeoutMs)}${said}`};
  }
}

function describeEnd(error: ExecError, timeoutMs: number): string {
  if (error.code === 'timed-out') return describeTimeout(timeoutMs);
  if (error.code === 'cancelled') return 'was stopped before it ended';
  // timeout(1) is a member of the group that it kills.
  if (error.exitCode === TIMED_OUT || error.exitCode === undefined) return describeTimeout(timeoutMs);
  return error.exitCode === NOT_FOUND
    ? 'needs a program that is not on the host (exit code 127)'
    : `exit code ${error.exitCode}`;
}

function describeTimeout(timeoutMs: number): string {
  return `did not end within ${timeoutMs / 1000} s`;
}

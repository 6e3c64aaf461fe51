/**
 * The one door to other processes.
 *
 * Argument arrays only, never a shell string: nothing that comes from a definition, a disk or the network is ever
 * parsed by a shell. Two forms: `exec` for a command that ends by itself and whose output is small, and `start`
 * for one that is streamed, talked to or stopped later. execa's types stay inside this file.
 */
import {createWriteStream, existsSync} from 'node:fs';
import type {Readable, Writable} from 'node:stream';
import {execa} from 'execa';
import {CodedError} from '../formats/errors.ts';

export type Argv = readonly [string, ...string[]];

export type ExecErrorCode = 'not-found' | 'failed' | 'timed-out' | 'cancelled';

/** A command that did not end well; the message holds the reason, the exact command, then stderr and stdout. */
export class ExecError extends CodedError<ExecErrorCode> {
  readonly argv: Argv;
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(
    code: ExecErrorCode,
    argv: Argv,
    reason: string,
    output: {exitCode?: number; stderr: string; stdout: string},
  ) {
    const tail = [output.stderr, output.stdout]
      .map((text) => lastLines(text, 40))
      .filter((text) => text !== '');
    super(code, [`${reason}: ${quoteArgv(argv)}`, ...tail].join('\n'));
    this.argv = argv;
    this.exitCode = output.exitCode;
    this.stderr = output.stderr;
  }
}

const DEFAULT_GRACE_MS = 5_000;

export interface ExecOptions {
  cwd?: string;
  /** Added to the environment of this process; `undefined` removes a name. */
  env?: Readonly<Record<string, string | undefined>>;
  stdin?: string | Uint8Array;
  signal?: AbortSignal | undefined;
  /** Milliseconds until the process is killed. */
  timeoutMs?: number;
  /** Milliseconds from SIGTERM to SIGKILL; default five seconds. */
  graceMs?: number;
  /** Standard output goes to this file instead of the result: for output beyond a few MiB. */
  stdoutFile?: string;
  /** Called with every line of standard output and standard error as it comes, without its newline. */
  onLine?: (line: string) => void;
  /** Exit codes that count as success; default `[0]`. */
  okCodes?: readonly number[];
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** Runs a command to its end. Throws ExecError with its output when it fails. */
export async function exec(argv: Argv, options: ExecOptions = {}): Promise<ExecResult> {
  const child = launch(argv, options, {
    stdin: options.stdin === undefined ? 'ignore' : 'pipe',
    stdout: options.stdoutFile === undefined ? 'pipe' : {file: options.stdoutFile},
    // What goes to a file is not kept in memory as well.
    buffer: {stdout: options.stdoutFile === undefined, stderr: true},
  });
  if (options.onLine !== undefined) {
    if (options.stdoutFile === undefined) forEachLine(child.stdout, options.onLine);
    forEachLine(child.stderr, options.onLine);
  }
  const result = await child;
  return checkResult(argv, result, options.okCodes ?? [0]);
}

export interface RunningProcess {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves at the end of the process, whatever its exit code; never rejects. */
  readonly ended: Promise<{exitCode: number | undefined; signal: string | undefined; stderr: string}>;
  /** Like `ended`, but throws ExecError unless the process ended with 0. */
  finished(): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
}

export interface StartOptions extends Pick<ExecOptions, 'cwd' | 'env' | 'signal' | 'graceMs'> {
  /** `inherit` gives the process this terminal. */
  stdio?: 'pipe' | 'inherit';
  /** Standard output is written to this file instead of the `stdout` stream. */
  logFile?: string;
}

/** Starts a process that is streamed, talked to or stopped by the caller. It is killed when this process exits. */
export function start(argv: Argv, options: StartOptions = {}): RunningProcess {
  const mode = options.stdio ?? 'pipe';
  const child = launch(argv, options, {stdin: mode, stdout: mode, buffer: {stdout: false, stderr: false}});
  let stderr = '';
  if (mode === 'pipe')
    forEachLine(child.stderr, (line) => (stderr = lastLines(`${stderr}\n${line}`.trimStart(), 200)));
  if (options.logFile !== undefined) child.stdout?.pipe(createWriteStream(options.logFile, {flags: 'a'}));
  const ended = child.then((result) => ({
    exitCode: result.exitCode,
    signal: result.signal as string | undefined,
    stderr,
    failure: result.failed ? result : undefined,
  }));
  return {
    pid: child.pid,
    stdin: child.stdin as Writable,
    stdout: child.stdout as Readable,
    ended,
    async finished() {
      const end = await ended;
      if (end.failure !== undefined) checkResult(argv, {...end.failure, stderr: end.stderr, stdout: ''}, [0]);
    },
    kill(signal = 'SIGTERM') {
      child.kill(signal);
    },
  };
}

/** The command as one would type it, for messages only. */
export function quoteArgv(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

function launch(
  argv: Argv,
  options: Pick<ExecOptions, 'cwd' | 'env' | 'signal' | 'timeoutMs' | 'graceMs' | 'stdin'>,
  stdio: {
    stdin: 'ignore' | 'pipe' | 'inherit';
    stdout: 'pipe' | 'inherit' | {file: string};
    buffer: {stdout: boolean; stderr: boolean};
  },
) {
  const [file, ...args] = argv;
  return execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    buffer: stdio.buffer,
    // An ended child whose grandchildren hold the pipes must not hold us.
    forceKillAfterDelay: options.graceMs ?? DEFAULT_GRACE_MS,
    stdin: stdio.stdin,
    stdout: stdio.stdout,
    stderr: stdio.stdout === 'inherit' ? 'inherit' : 'pipe',
    ...(options.stdin === undefined ? {} : {input: options.stdin}),
    ...(options.cwd === undefined ? {} : {cwd: options.cwd}),
    ...(options.env === undefined ? {} : {env: options.env}),
    ...(options.signal === undefined ? {} : {cancelSignal: options.signal}),
    ...(options.timeoutMs === undefined ? {} : {timeout: options.timeoutMs}),
  });
}

interface RawResult {
  failed: boolean;
  timedOut: boolean;
  isCanceled: boolean;
  exitCode?: number | undefined;
  signal?: string | undefined;
  code?: string | undefined;
  cwd?: string | undefined;
  stdout?: unknown;
  stderr?: unknown;
}

function checkResult(argv: Argv, result: RawResult, okCodes: readonly number[]): ExecResult {
  const stdout = typeof result.stdout === 'string' ? result.stdout : '';
  const stderr = typeof result.stderr === 'string' ? result.stderr : '';
  const output = {stdout, stderr, ...(result.exitCode === undefined ? {} : {exitCode: result.exitCode})};
  if (result.isCanceled) throw new ExecError('cancelled', argv, 'command was cancelled', output);
  if (result.timedOut) throw new ExecError('timed-out', argv, 'command took too long', output);
  // The system gives one code for a program and for a directory that are not there.
  if (result.code === 'ENOENT' && result.cwd !== undefined && !existsSync(result.cwd))
    throw new ExecError('failed', argv, `directory ${result.cwd} does not exist`, output);
  if (result.code === 'ENOENT')
    throw new ExecError('not-found', argv, `command ${argv[0]} was not found`, output);
  if (result.exitCode === undefined) {
    throw new ExecError(
      'failed',
      argv,
      `command ended by ${result.signal ?? result.code ?? 'an unknown cause'}`,
      output,
    );
  }
  if (!okCodes.includes(result.exitCode)) {
    throw new ExecError('failed', argv, `command failed with exit code ${result.exitCode}`, output);
  }
  return {stdout, stderr, exitCode: result.exitCode};
}

function forEachLine(stream: Readable | null | undefined, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  stream?.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Runs test files with node's own runner, each file in its process. */
import {readdir} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {join, relative} from 'node:path';
import type {Writable} from 'node:stream';
import {run} from 'node:test';
import {spec} from 'node:test/reporters';
import {type Result, Tally} from './tally.ts';

export interface TestRun {
  /** Folder below which the `*.test.ts` files are. */
  folder: string;
  /** Only files whose path contains this. */
  pattern?: string | undefined;
  /** Files at a time; default as many as there are processors. */
  concurrency?: number;
  /** Milliseconds for one file. */
  timeoutMs: number;
  output: Writable;
  signal?: AbortSignal;
}

/** Runs the matching files below a folder; none at all is a result with nothing passed. */
export async function runTests(options: TestRun): Promise<Result> {
  const files = await findTests(options.folder, options.pattern);
  const tally = new Tally();
  if (files.length === 0) return tally;
  const stream = run({
    files,
    concurrency: options.concurrency ?? availableParallelism(),
    timeout: options.timeoutMs,
    ...(options.signal === undefined ? {} : {signal: options.signal}),
  });
  stream.on('test:start', (event) => tally.started(event));
  stream.on('test:plan', (event) => tally.planned(event));
  stream.on('test:pass', (event) => tally.passedOne(event));
  stream.on('test:fail', (event) => tally.failedOne(event));
  stream.on('test:stderr', (event) => tally.printed(event));
  stream.on('test:diagnostic', (event) => tally.printed(event));
  stream.on('test:complete', (event) => tally.completed(event));
  const report = stream.compose(new spec()) as AsyncIterable<unknown>;
  for await (const text of report) options.output.write(String(text));
  return tally;
}

async function findTests(folder: string, pattern: string | undefined): Promise<string[]> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true});
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => pattern === undefined || relative(folder, file).includes(pattern))
    .sort();
}

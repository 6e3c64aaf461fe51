/**
 * Runs the steps of a plan, each at most once for the same inputs.
 *
 * A step is data: its name, what it needs, a hash for everything that shapes its result, and a function that fills a
 * directory. The result is kept under the hash of all that; it is written to a temporary directory and renamed, so a
 * cache entry is whole or absent. A step is judged by the *content* of what it needs, not by whether that was made
 * anew: rebuilding a tree that comes out the same costs nothing further down.
 */
import {createHash} from 'node:crypto';
import {mkdir, readFile, readdir, rename, rm, stat, utimes} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {z} from '../formats/schema.ts';
import {fingerprintTree, pathExists, writeFileAtomic} from '../platform/files.ts';
import type {Log, Progress} from '../platform/log.ts';

export class EngineError extends CodedError<'bad-plan'> {}

export interface StepResult {
  /** Where the step's files lie. */
  directory: string;
  /** Hash over the content of those files. */
  digest: string;
}

export type StepResults = ReadonlyMap<string, StepResult>;

export interface Step {
  name: string;
  title: string;
  needs: readonly string[];
  /** Label to hash: every input besides the needed steps. Labels are shown when one of them changed. */
  inputs: () => Promise<Readonly<Record<string, string>>>;
  run: (out: string, progress: Progress, needed: StepResults) => Promise<void>;
}

export interface EngineContext {
  cacheDir: string;
  log: Log;
  signal: AbortSignal;
  /** Called as soon as a step's result is there, before the steps that need it begin. */
  onResult?: (name: string, result: StepResult) => void;
}

const META_FILE = '.step.json';
/** Results kept for each step, the newest used first. */
const KEPT_RESULTS = 3;

const metaSchema = z.strictObject({inputs: z.record(z.string(), z.string()), digest: z.string()});
type Meta = z.infer<typeof metaSchema>;

/** Runs all steps, independent ones beside each other, and returns their results by name. */
export async function runSteps(steps: readonly Step[], context: EngineContext): Promise<StepResults> {
  checkPlan(steps);
  const started = new Map<string, Promise<StepResult>>();
  const failed = new AbortController();
  for (const step of steps) {
    const needs = step.needs.map(async (name) => [name, (await started.get(name)) as StepResult] as const);
    const running = Promise.all(needs)
      .then((results) => {
        failed.signal.throwIfAborted();
        context.signal.throwIfAborted();
        return runStep(step, new Map(results), context);
      })
      .then((result) => {
        context.onResult?.(step.name, result);
        return result;
      })
      .catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
    started.set(step.name, running);
  }
  // All have to end before an error leaves: no step may go on writing behind a caller's back.
  const settled = await Promise.allSettled(started.values());
  if (failed.signal.aborted) throw failed.signal.reason;
  return new Map(
    [...started.keys()].map((name, index) => [
      name,
      (settled[index] as PromiseFulfilledResult<StepResult>).value,
    ]),
  );
}

/** Before anything runs: a step that was started could not be taken back. */
function checkPlan(steps: readonly Step[]): void {
  const before = new Set<string>();
  for (const {name, needs} of steps) {
    const missing = needs.find((needed) => !before.has(needed));
    if (missing !== undefined)
      throw new EngineError('bad-plan', `step ${name} needs ${missing}, which does not come before it`);
    if (before.has(name)) throw new EngineError('bad-plan', `step ${name} is in the plan twice`);
    before.add(name);
  }
}

async function runStep(step: Step, needed: StepResults, context: EngineContext): Promise<StepResult> {
  const inputs: Record<string, string> = {...(await step.inputs())};
  for (const [name, result] of needed) inputs[`step ${name}`] = result.digest;
  const key = createHash('sha256')
    .update(JSON.stringify([step.name, Object.entries(inputs).sort()]))
    .digest('hex')
    .slice(0, 32);
  const home = join(context.cacheDir, 'steps', step.name);
  const directory = join(home, key);
  const kept = await readMeta(directory);
  if (kept !== undefined) {
    const now = new Date();
    await utimes(directory, now, now);
    context.log.detail(`${step.name}: unchanged`);
    return {directory, digest: kept.digest};
  }

  context.log.info(`${step.name}: ${await explainRun(home, inputs)}`);
  const temporary = join(home, `.new-${key}`);
  await rm(temporary, {recursive: true, force: true});
  await mkdir(temporary, {recursive: true});
  try {
    await context.log.step(step.title, (progress) => step.run(temporary, progress, needed));
    context.signal.throwIfAborted();
    const meta: Meta = {inputs, digest: await digestTree(temporary)};
    await writeFileAtomic(join(temporary, META_FILE), JSON.stringify(meta));
    await rm(directory, {recursive: true, force: true});
    await rename(temporary, directory);
    await dropOldResults(home);
    return {directory, digest: meta.digest};
  } finally {
    await rm(temporary, {recursive: true, force: true});
  }
}

/** Which input made the step run, compared with its newest kept result. */
async function explainRun(home: string, inputs: Readonly<Record<string, string>>): Promise<string> {
  const [newest] = await resultsByAge(home);
  const before = newest === undefined ? undefined : await readMeta(newest);
  if (before === undefined) return 'has no earlier result';
  const labels = [...new Set([...Object.keys(before.inputs), ...Object.keys(inputs)])].sort();
  const changes = labels
    .filter((label) => before.inputs[label] !== inputs[label])
    .map(
      (label) =>
        `${label} ${before.inputs[label] === undefined ? 'is new' : inputs[label] === undefined ? 'is gone' : 'changed'}`,
    );
  const shown = changes.slice(0, 4).join(', ');
  return changes.length > 4 ? `${shown} and ${changes.length - 4} more` : shown;
}

/** Undefined for a result that is not there, and for one whose description was damaged: it is made anew. */
async function readMeta(directory: string): Promise<Meta | undefined> {
  const file = join(directory, META_FILE);
  if (!(await pathExists(file))) return undefined;
  try {
    return metaSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

async function digestTree(directory: string): Promise<string> {
  const prints = Object.entries(await fingerprintTree(directory));
  return createHash('sha256').update(JSON.stringify(prints)).digest('hex');
}

async function resultsByAge(home: string): Promise<string[]> {
  if (!(await pathExists(home))) return [];
  const names = (await readdir(home)).filter((name) => !name.startsWith('.'));
  const aged = await Promise.all(
    names.map(async (name) => ({path: join(home, name), usedAt: (await stat(join(home, name))).mtimeMs})),
  );
  return aged.sort((a, b) => b.usedAt - a.usedAt).map(({path}) => path);
}

async function dropOldResults(home: string): Promise<void> {
  for (const path of (await resultsByAge(home)).slice(KEPT_RESULTS))
    await rm(path, {recursive: true, force: true});
}

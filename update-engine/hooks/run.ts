/**
 * Runs the hooks of a stage. Before a reboot the first one that fails ends it, because the next may drain what then
 * stays; after a good start all of them run, because each puts something back to work.
 */
import {join} from 'node:path';
import {findExecutables} from '../executables.ts';
import type {HooksRequest, HooksResult} from './documents.ts';
import type {HookStage} from './paths.ts';

export interface HooksWorld {
  /** Folder with a folder for each stage. */
  readonly hooks: string;
  /** Aborted when the hooks are not wanted any more. */
  readonly signal: AbortSignal;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly journal: {info(text: string): void; warn(text: string): void};
}

type HookEnd = HooksResult['hooks'][number];

/** Never throws: what goes wrong is in the result. */
export async function runHooks(
  stage: HookStage,
  request: HooksRequest,
  world: HooksWorld,
): Promise<HooksResult> {
  const ends: HookEnd[] = [];
  try {
    await runAll(stage, request, world, ends);
    return {id: request.id, hooks: ends, problem: null};
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return {id: request.id, hooks: ends, problem: problem.slice(0, 1000)};
  }
}

async function runAll(
  stage: HookStage,
  {timeoutMs, reason, version, previousVersion}: HooksRequest,
  {hooks, signal, now, journal}: HooksWorld,
  ends: HookEnd[],
): Promise<void> {
  const env = {
    CAISSON_HOOK: stage,
    CAISSON_VERSION: version,
    CAISSON_PREVIOUS_VERSION: previousVersion,
    CAISSON_REASON: reason,
  };
  for (const hook of await findExecutables({folder: join(hooks, stage), timeoutMs, env})) {
    signal.throwIfAborted();
    journal.info(`${hook.name}: begins`);
    const startedAt = now();
    const {passed, detail} = await hook.run(signal);
    const seconds = Math.round((now() - startedAt) / 10) / 100;
    ends.push({name: hook.name, passed, detail: detail.slice(0, 2000), seconds});
    const said = `${hook.name}: ${passed ? 'passed' : 'failed'}${detail === '' ? '' : `: ${detail}`}`;
    if (passed) journal.info(said);
    else journal.warn(said);
    if (!passed && stage === 'pre-reboot') return;
  }
}

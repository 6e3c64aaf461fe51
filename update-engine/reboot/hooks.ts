/**
 * The hooks of the operator as a condition: all of `pre-reboot` must pass. They are run again whenever a reboot is tried
 * again, so they must be able to.
 */
import {join} from 'node:path';
import type {Reading} from '../../formats/update-conf-values.ts';
import {findExecutables} from '../executables.ts';
import type {HooksResult} from '../hooks/documents.ts';
import type {HookStage} from '../hooks/paths.ts';
import type {Gate, GateAnswer, RebootPlan} from './gate.ts';
import {type HookUnit, HookUnitError} from './hook-unit.ts';
import {printable} from './words.ts';

export interface HooksGateParts {
  /** Folder with a folder for each stage. */
  readonly hooks: string;
  readonly unit: Pick<HookUnit, 'runHooks'>;
  /** Of each hook; asked anew each time. */
  readonly timeoutMs: () => Reading<number>;
}

/** What post-good hooks are told. */
export interface GoodPlan {
  readonly version: string;
  readonly previousVersion: string;
  /** `restart`: the release that was meant runs; `rolled-back`: the one before runs again. */
  readonly purpose: 'restart' | 'rolled-back';
}

/** Whatever was in the way needs a while to go; and what hooks do is not for free. */
const AGAIN_MS = 5 * 60_000;
const MAX_DETAIL_CHARACTERS = 600;

export function createHooksGate(parts: HooksGateParts): Gate {
  return {
    name: 'hooks',
    async ask(plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer> {
      const {version, previousVersion, kind} = plan;
      try {
        if (!(await hasHooks(parts.hooks, 'pre-reboot')))
          return {kind: 'open', detail: 'no pre-reboot hooks', againMs: null};
      } catch (error) {
        return {kind: 'unknown', detail: cannotFind('pre-reboot', error), againMs: AGAIN_MS};
      }
      const outcome = await runStage('pre-reboot', {version, previousVersion, reason: kind}, parts, signal);
      if (outcome.kind !== 'passed') return {kind: outcome.kind, detail: outcome.detail, againMs: AGAIN_MS};
      const {count} = outcome;
      return {
        kind: 'open',
        detail: `${count} pre-reboot ${count === 1 ? 'hook' : 'hooks'} passed`,
        againMs: null,
      };
    },
  };
}

/** Null when all of `post-good` passed, or there is none; else a sentence without its end. */
export async function runPostGoodHooks(
  {version, previousVersion, purpose}: GoodPlan,
  parts: HooksGateParts,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    if (!(await hasHooks(parts.hooks, 'post-good'))) return null;
  } catch (error) {
    return cannotFind('post-good', error);
  }
  const outcome = await runStage('post-good', {version, previousVersion, reason: purpose}, parts, signal);
  return outcome.kind === 'passed' ? null : outcome.detail;
}

function cannotFind(stage: HookStage, error: unknown): string {
  return `${stage} hooks cannot be found: ${error instanceof Error ? error.message : String(error)}`;
}

type StageOutcome =
  | {readonly kind: 'passed'; readonly count: number}
  /** `unknown`: they did not all run. */
  | {readonly kind: 'closed' | 'unknown'; readonly detail: string};

async function hasHooks(hooks: string, stage: HookStage): Promise<boolean> {
  return (await findExecutables({folder: join(hooks, stage), timeoutMs: 1, env: {}})).length > 0;
}

async function runStage(
  stage: HookStage,
  told: {version: string; previousVersion: string; reason: string},
  {unit, timeoutMs}: HooksGateParts,
  signal: AbortSignal,
): Promise<StageOutcome> {
  const limit = timeoutMs();
  if (limit.kind === 'bad') return {kind: 'unknown', detail: limit.problem};
  let result: HooksResult;
  try {
    result = await unit.runHooks(stage, {...told, timeoutMs: limit.value}, signal);
  } catch (error) {
    if (!(error instanceof HookUnitError)) throw error;
    return {kind: 'unknown', detail: error.message};
  }
  const failed = result.hooks.filter(({passed}) => !passed);
  if (failed.length > 0) {
    const named = failed.map(
      ({name, detail}) => `${printable(name)}: ${printable(detail, MAX_DETAIL_CHARACTERS)}`,
    );
    return {kind: 'closed', detail: `${stage} hooks failed: ${named.join('; ').slice(0, 2000)}`};
  }
  if (result.problem !== null) {
    return {kind: 'unknown', detail: `${stage} hooks did not run: ${printable(result.problem)}`};
  }
  return {kind: 'passed', count: result.hooks.length};
}

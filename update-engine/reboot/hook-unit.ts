/**
 * Hands work to caisson-hooks@.service, which runs outside of the engine's sandbox: a hook may have to talk to an
 * orchestrator, stop containers or write anywhere, and the engine may do none of that.
 *
 * Rejected: `systemd-run`. A transient unit cannot be looked at, overridden with a drop-in or ordered by the operator.
 */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import type {z} from '../../formats/schema.ts';
import {ExecError} from '../../platform/exec.ts';
import {writeFileAtomic} from '../../platform/files.ts';
import {
  type HooksRequest,
  type HooksResult,
  type WarnRequest,
  type WarnResult,
  hooksResultSchema,
  readDocument,
  warnResultSchema,
} from '../hooks/documents.ts';
import {type HookStage, type HookTask, hookUnit} from '../hooks/paths.ts';

export class HookUnitError extends CodedError<'not-run' | 'no-result'> {}

export interface HookUnit {
  /** Each throws HookUnitError when it is not known what came of it, and the reason of an aborted signal. */
  runHooks(stage: HookStage, request: Omit<HooksRequest, 'id'>, signal: AbortSignal): Promise<HooksResult>;
  warn(request: Omit<WarnRequest, 'id'>, signal: AbortSignal): Promise<WarnResult>;
}

export interface HookUnitParts {
  /** Folder for requests and results. */
  readonly exchange: string;
  readonly randomId: () => string;
  /** Returns when the unit has ended. */
  readonly startUnit: (unit: string, signal: AbortSignal) => Promise<void>;
  readonly stopUnit: (unit: string) => Promise<void>;
}

export function openHookUnit({exchange, randomId, startUnit, stopUnit}: HookUnitParts): HookUnit {
  async function run<T extends {id: string}>(
    task: HookTask,
    request: object,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const unit = hookUnit(task);
    const [asked, answered] = ['request', 'result'].map((kind) => join(exchange, `${task}.${kind}.json`));
    const id = randomId();
    try {
      // One that an engine before this one began would end with the answer to another question.
      await stopUnit(unit);
      await mkdir(exchange, {recursive: true, mode: 0o700});
      await rm(answered ?? '', {force: true});
      await writeFileAtomic(asked ?? '', JSON.stringify({id, ...request}), 0o600);
      signal.throwIfAborted();
      await startUnit(unit, signal);
    } catch (error) {
      // Called off, or its start was lost sight of: either way nothing of it may go on.
      await stopUnit(unit).catch(() => undefined);
      signal.throwIfAborted();
      const said = error instanceof ExecError ? (error.message.split('\n')[1] ?? error.message) : '';
      const why = error instanceof Error && said === '' ? error.message : said;
      throw new HookUnitError('not-run', `${unit} did not run: ${why}`, {cause: error});
    }
    let result: T;
    try {
      result = await readDocument(answered ?? '', schema);
    } catch (error) {
      throw new HookUnitError('no-result', `${unit} left no result; journalctl -u ${unit}`, {cause: error});
    }
    if (result.id === id) return result;
    throw new HookUnitError('no-result', `${unit} left the result of another run; journalctl -u ${unit}`);
  }

  return {
    runHooks: (stage, request, signal) => run(stage, request, hooksResultSchema, signal),
    warn: (request, signal) => run('warn', request, warnResultSchema, signal),
  };
}

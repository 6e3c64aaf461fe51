/**
 * Does for the engine what its sandbox forbids: runs the hooks of the operator (`pre-reboot`, `post-good`), and writes
 * to terminals (`warn`). Started as caisson-hooks@TASK.service with a request in a file, and answers in another; see
 * docs/reboot-hooks.md. Its exit code is 0 whatever the hooks come to: a unit that failed would be one for the health
 * checks, and these may well be about a release that is fine.
 */
import {join} from 'node:path';
import {writeFileAtomic} from '../../platform/files.ts';
import {abortOnSignals} from '../../platform/interruption.ts';
import {createJournal} from '../../platform/journal.ts';
import {openLogind} from '../../platform/logind.ts';
import {pseudoTerminals, tellTerminal} from '../../platform/terminals.ts';
import {hooksRequestSchema, readDocument, warnRequestSchema} from './documents.ts';
import {HOOK_PATHS, type HookTask} from './paths.ts';
import {runHooks} from './run.ts';
import {tellTerminals} from './terminals.ts';

const journal = createJournal((text) => void process.stderr.write(text));
const stopped = new AbortController();
abortOnSignals(stopped, ['SIGTERM', 'SIGINT'], () => new Error('stopped: the hooks are not wanted any more'));

async function answer(task: HookTask): Promise<object> {
  const path = join(HOOK_PATHS.exchange, `${task}.request.json`);
  if (task !== 'warn') {
    const request = await readDocument(path, hooksRequestSchema);
    const world = {hooks: HOOK_PATHS.hooks, signal: stopped.signal, now: () => performance.now(), journal};
    return runHooks(task, request, world);
  }
  const {id, text} = await readDocument(path, warnRequestSchema);
  const world = {logind: openLogind(), pseudoTerminals, tell: tellTerminal, signal: stopped.signal};
  try {
    const reached = await tellTerminals(text, world);
    journal.info(`told ${reached.length === 0 ? 'no terminal' : reached.join(', ')}: ${text}`);
    return {id, reached, problem: null};
  } catch (error) {
    return {id, reached: [], problem: error instanceof Error ? error.message.slice(0, 1000) : String(error)};
  }
}

async function run(task: string | undefined): Promise<number> {
  if (task !== 'pre-reboot' && task !== 'post-good' && task !== 'warn') {
    journal.error(`usage: hooks.mjs pre-reboot | post-good | warn; got ${task ?? 'nothing'}`);
    return 2;
  }
  const result = await answer(task);
  await writeFileAtomic(join(HOOK_PATHS.exchange, `${task}.result.json`), JSON.stringify(result), 0o600);
  return 0;
}

try {
  process.exit(await run(process.argv[2]));
} catch (error) {
  journal.error(error instanceof Error ? error.message : String(error));
  process.exit(2);
}

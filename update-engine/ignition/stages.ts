/** Runs Ignition's stages, keeps what it says, and turns its failure into a few lines that a person can act on. */
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {ExecError} from '../../platform/exec.ts';
import {type FirstBootHost, at} from './host.ts';
import {IGNITION_PATHS} from './paths.ts';
import {type StageLog, createStageLog} from './stage-log.ts';

export type Stage = 'fetch-offline' | 'fetch' | 'disks' | 'mount' | 'files' | 'umount';

/** Ignition itself asks servers without end unless the config has timeouts. */
const STAGE_TIMEOUT_MS = 30 * 60_000;
/** A server that does not answer is worth a line on the console, but not one a second. */
const SHOW_EVERY_MS = 30_000;
/** A request without any word of Ignition for so long is looked at; it may be a large file. */
const LOOK_EVERY_MS = 20_000;
const MAX_REDIRECTIONS = 20;
/** curl(1), exit codes. */
const TOO_MANY_REDIRECTIONS = 47;

export interface StageOptions {
  /** A name that Ignition knows. */
  readonly platform: string;
}

/** Throws IgnitionError with Ignition's reasons, or with better ones. */
export async function runStage(stage: Stage, {platform}: StageOptions, host: FirstBootHost): Promise<void> {
  const log = createStageLog();
  const hopeless = new AbortController();
  const ended = new AbortController();
  let shownAt = Number.NEGATIVE_INFINITY;
  let trouble: string | null = null;
  const onLine = (line: string): void => {
    const heard = log.hear(line);
    if (heard.publicText !== null) host.note(heard.publicText);
    if (heard.verdict !== null) hopeless.abort(heard.verdict);
    if (heard.trouble === null) return;
    trouble = heard.trouble;
    if (host.now() - shownAt < SHOW_EVERY_MS) return;
    shownAt = host.now();
    host.show(`first boot: ${trouble}; trying again`);
  };
  const watching = watchRequests(log, host, ended.signal, (verdict) => hopeless.abort(verdict));
  try {
    await host.exec(
      [
        at(host, IGNITION_PATHS.program),
        `--root=${at(host, IGNITION_PATHS.target)}`,
        `--platform=${platform}`,
        `--stage=${stage}`,
        '--log-to-stdout',
      ],
      {
        env: {
          IGNITION_SYSTEM_CONFIG_DIR: at(host, IGNITION_PATHS.configs),
          PATH: `${IGNITION_PATHS.programs}:/usr/sbin:/usr/bin`,
        },
        timeoutMs: STAGE_TIMEOUT_MS,
        signal: hopeless.signal,
        onLine,
      },
    );
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    throw failure(stage, reasonsFor(error, log, hopeless.signal.reason, trouble), error);
  } finally {
    ended.abort();
    await watching;
  }
  if (log.unknownKeys.length > 0) throw failure(stage, log.unknownKeys, undefined);
}

function failure(stage: Stage, reasons: readonly string[], cause: unknown): IgnitionError {
  const lines = [`Ignition failed in its stage ${stage}`, ...reasons.map((line) => `  ${line}`)];
  return new IgnitionError('bad-config', lines.join('\n'), {cause});
}

function reasonsFor(error: ExecError, log: StageLog, verdict: unknown, trouble: string | null): string[] {
  if (error.code === 'cancelled' && typeof verdict === 'string') return [verdict];
  if (error.code === 'timed-out')
    return [`not done after ${STAGE_TIMEOUT_MS / 60_000} minutes`, ...(trouble === null ? [] : [trouble])];
  // The kernel takes the largest when there is no memory left.
  if (error.code === 'failed' && /^command ended by SIGKILL/.test(error.message))
    return [
      'it was killed: not enough memory for the config, or for one that it fetches',
      ...(log.request === null ? [] : [`the last request: ${log.request.url}`]),
    ];
  return log.reasons();
}

/** Ignition follows redirections without end and without a word; curl does not. */
async function watchRequests(
  log: StageLog,
  host: FirstBootHost,
  ended: AbortSignal,
  giveUp: (verdict: string) => void,
): Promise<void> {
  let before = -1;
  for (;;) {
    await host.sleep(LOOK_EVERY_MS, ended);
    if (ended.aborted) return;
    const {request} = log;
    if (request === null || request.number !== before) {
      before = request?.number ?? -1;
      continue;
    }
    if (await isCircle(request.url, host))
      giveUp(`${request.url} leads in a circle, or on more than ${MAX_REDIRECTIONS} times`);
    else host.note(`waiting for ${request.url}`);
  }
}

async function isCircle(url: string, host: FirstBootHost): Promise<boolean> {
  if (!/^https?:/.test(url)) return false;
  const limits = ['--max-time', '15', '--max-redirs', String(MAX_REDIRECTIONS)];
  const argv = ['curl', '--silent', '--head', '--location', ...limits, '--output', '/dev/null', '--', url];
  try {
    await host.exec(argv as [string, ...string[]], {timeoutMs: 30_000});
  } catch (error) {
    return error instanceof ExecError && error.exitCode === TOO_MANY_REDIRECTIONS;
  }
  return false;
}

/** Runs Ignition's stages, keeps what it says, and turns its failure into a few lines that a person can act on. */
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {ExecError} from '../../platform/exec.ts';
import {type FirstBootHost, at} from './host.ts';
import {IGNITION_PATHS} from './paths.ts';

export type Stage = 'fetch-offline' | 'fetch' | 'disks' | 'mount' | 'files' | 'umount';

/** Ignition itself asks servers without end unless the config has timeouts. */
const STAGE_TIMEOUT_MS = 30 * 60_000;
/** A server that does not answer is worth a line on the console, but not one a second. */
const SHOW_EVERY_MS = 30_000;
const MAX_KEPT_LINES = 200;
const MAX_SHOWN_LINES = 8;

export interface StageOptions {
  /** A name that Ignition knows. */
  readonly platform: string;
}

/** Throws IgnitionError with Ignition's reasons. */
export async function runStage(stage: Stage, {platform}: StageOptions, host: FirstBootHost): Promise<void> {
  const kept: string[] = [];
  let shownAt = Number.NEGATIVE_INFINITY;
  const onLine = (line: string): void => {
    host.note(line);
    kept.push(line);
    if (kept.length > MAX_KEPT_LINES) kept.shift();
    if (!/\b(GET|PUT) (error|result: (?!OK))/.test(line) || host.now() - shownAt < SHOW_EVERY_MS) return;
    shownAt = host.now();
    host.show(`first boot: ${withoutLevel(line)}`);
  };
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
        onLine,
      },
    );
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const why =
      error.code === 'timed-out' ? [`not done after ${STAGE_TIMEOUT_MS / 60_000} minutes`] : reasonsIn(kept);
    throw new IgnitionError(
      'bad-config',
      [`Ignition failed in its stage ${stage}`, ...why.map((line) => `  ${line}`)].join('\n'),
      {
        cause: error,
      },
    );
  }
}

/** What Ignition marks as critical or as an error, without what it repeats; else its last lines. */
export function reasonsIn(lines: readonly string[]): string[] {
  const marked = lines.filter((line) => /^(CRITICAL|ERROR|EMERGENCY|ALERT)\b/.test(line)).map(withoutLevel);
  const chosen = marked.length > 0 ? marked : lines.map(withoutLevel);
  const distinct = [...new Set(chosen)].filter((line) => line.trim() !== '');
  return distinct
    .slice(-MAX_SHOWN_LINES)
    .map((line) => (line.length > 400 ? `${line.slice(0, 397)}...` : line));
}

/** `CRITICAL : files: createUsers: ...` is a level, padded to one width, and a text. */
function withoutLevel(line: string): string {
  return line.replace(/^[A-Z]+ *: +/, '');
}

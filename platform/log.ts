/**
 * What a person sees while something runs: steps with their time, bytes and rate.
 *
 * Everything goes to standard error, so that standard output carries results only. On a terminal the current
 * step's progress is one line that is redrawn; elsewhere (CI, a pipe) a step is a plain line when it starts, when
 * it ends, and every ten seconds between. Rejected: a logging library; its levels and transports answer a
 * server's needs, not those of a build watched by a person.
 */
import {formatBytes, formatSeconds} from '../formats/units.ts';

export interface Progress {
  /** Bytes (or items) done so far, and of how many when that is known. */
  update(done: number, total?: number): void;
  /** A word on what is being done right now, for example the file's name. */
  note(text: string): void;
}

export interface Log {
  info(text: string): void;
  warn(text: string): void;
  /** Shown only with `--verbose`. */
  detail(text: string): void;
  step<T>(title: string, run: (progress: Progress) => Promise<T>): Promise<T>;
}

export interface LogOptions {
  /** Whether the progress line may be redrawn. */
  isTerminal: boolean;
  verbose: boolean;
  write: (text: string) => void;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Columns of the terminal. */
  columns?: () => number;
}

const REDRAW_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 10_000;
const CLEAR_LINE = '\r\u001B[2K';

/** Steps may run beside each other; the redrawn line then shows all of them. */
export function createLog(options: LogOptions): Log {
  const running = new Map<symbol, string>();
  let isDrawn = false;

  function line(text: string): void {
    options.write(`${isDrawn ? CLEAR_LINE : ''}${text}\n`);
    isDrawn = false;
    redraw();
  }

  function redraw(): void {
    if (!options.isTerminal) return;
    const width = Math.max(20, options.columns?.() ?? 80) - 1;
    // Notes quote other programs, whose control characters would move the cursor.
    const text = [...running.values()]
      .join(' | ')
      .replaceAll(/\p{Cc}+/gu, ' ')
      .slice(0, width);
    if (text !== '' || isDrawn) options.write(CLEAR_LINE + text);
    isDrawn = text !== '';
  }

  async function step<T>(title: string, run: (progress: Progress) => Promise<T>): Promise<T> {
    const id = Symbol(title);
    const startedAt = options.now();
    let lastShownAt = startedAt;
    let [done, total, note] = [0, undefined as number | undefined, ''];
    const describe = (): string =>
      `${title}: ${describeProgress(done, total, (options.now() - startedAt) / 1000, note)}`;

    function show(): void {
      const now = options.now();
      if (now - lastShownAt < (options.isTerminal ? REDRAW_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
      lastShownAt = now;
      if (options.isTerminal) {
        running.set(id, describe());
        redraw();
      } else line(`  ${describe()}`);
    }

    if (options.isTerminal) {
      running.set(id, title);
      redraw();
    } else line(`${title} ...`);
    // Time goes on being shown while a step has nothing to report.
    const timer = setInterval(show, options.isTerminal ? 500 : PLAIN_INTERVAL_MS);
    let outcome = 'FAILED after ';
    try {
      const result = await run({
        update(nowDone, nowTotal) {
          [done, total] = [nowDone, nowTotal ?? total];
          show();
        },
        note(text) {
          note = text;
          show();
        },
      });
      outcome = '';
      return result;
    } finally {
      clearInterval(timer);
      running.delete(id);
      line(
        `${title}: ${outcome}${describeProgress(done, undefined, (options.now() - startedAt) / 1000, '')}`,
      );
    }
  }

  return {
    info: line,
    warn: (text) => line(`warning: ${text}`),
    detail: (text) => (options.verbose ? line(text) : undefined),
    step,
  };
}

function describeProgress(done: number, total: number | undefined, seconds: number, note: string): string {
  const parts = [formatSeconds(seconds)];
  if (done > 0) {
    const share =
      total === undefined || total === 0
        ? ''
        : ` of ${formatBytes(total)} (${Math.floor((100 * done) / total)} %)`;
    parts.push(`${formatBytes(done)}${share}`);
    if (seconds > 0.2) parts.push(`${formatBytes(done / seconds)}/s`);
  }
  if (note !== '') parts.push(note);
  return parts.join(', ');
}

/** A log that says nothing, for tests and for callers with no one watching. */
export const silentLog: Log = {
  info: () => undefined,
  warn: () => undefined,
  detail: () => undefined,
  step: (_title, run) => run({update: () => undefined, note: () => undefined}),
};

/**
 * The serial console of a machine: kept as text, written to a log, and waited on.
 *
 * The memory is bounded (the log file is not); a waiter sees what came before it was asked, so that nothing is
 * missed between starting a machine and waiting. To wait for the second of two equal lines, give `after`.
 */
import {createWriteStream} from 'node:fs';
import {finished, type Readable} from 'node:stream';
import {type Deadline, type Pending, waitUntil} from './deadline.ts';
import {QemuError} from './errors.ts';
import {TerminalText} from './terminal-text.ts';

/** A whole verbose boot is some 100 KiB. */
const TEXT_MAX_LENGTH = 4 * 1024 * 1024;
const SHOWN_LINES = 60;
/** A serial line arrives in a few characters at a time; looking for patterns at each would cost more than it gives. */
const SCAN_DELAY_MS = 20;

export interface ConsoleOptions {
  logFile?: string;
  /** Milliseconds on a monotonic clock; default `performance.now`. */
  now?: () => number;
}

export interface WaitOptions extends Deadline {
  /** Only text from this position on counts (see `position` and `ConsoleMatch.end`); default all. */
  after?: number;
}

export interface ConsoleMatch {
  /** The text that matched, and the groups of a regular expression. */
  groups: readonly (string | undefined)[];
  text: string;
  /** Position after the match, for a later wait's `after`. */
  end: number;
  /** Milliseconds from the start of the console until the match was seen. */
  atMs: number;
}

interface Waiter extends Pending<ConsoleMatch> {
  after: number;
  pattern: string | RegExp;
}

export class MachineConsole {
  readonly logFile: string | undefined;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #waiters = new Set<Waiter>();
  #text = '';
  /** Characters already dropped from the front of the text. */
  #dropped = 0;
  #isOpen = true;
  #scan: NodeJS.Timeout | undefined;

  constructor(stream: Readable, options: ConsoleOptions = {}) {
    this.logFile = options.logFile;
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, {flags: 'a'});
    // A full disk must not take the machine's owner down; the console in memory goes on.
    log?.on('error', () => undefined);
    const plain = new TerminalText();
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const text = plain.push(chunk);
      log?.write(text);
      this.#append(text);
    });
    finished(stream, {writable: false}, () => {
      log?.end();
      this.#close();
    });
  }

  /** What is kept of the text; positions count from the console's start. */
  get text(): string {
    return this.#text;
  }

  /** Where the next character will be. */
  get position(): number {
    return this.#dropped + this.#text.length;
  }

  lastLines(count: number): string {
    return this.#text.trimEnd().split('\n').slice(-count).join('\n');
  }

  /**
   * Resolves when the pattern is in the text. Throws QemuError `console-timeout` at the deadline, and `exited` when
   * the console ends before, both with the last lines.
   */
  waitFor(pattern: string | RegExp, options: WaitOptions): Promise<ConsoleMatch> {
    return waitUntil<ConsoleMatch>(
      {
        ...options,
        onDeadline: () =>
          this.#failure('console-timeout', pattern, `did not appear within ${options.deadlineMs} ms`),
      },
      (pending) => {
        const waiter = {...pending, after: options.after ?? 0, pattern: withoutState(pattern)};
        this.#waiters.add(waiter);
        this.#look();
        if (!this.#isOpen) this.#close();
        return () => this.#waiters.delete(waiter);
      },
    );
  }

  #append(text: string): void {
    this.#text += text;
    if (this.#text.length > TEXT_MAX_LENGTH) {
      const excess = this.#text.length - TEXT_MAX_LENGTH / 2;
      this.#text = this.#text.slice(excess);
      this.#dropped += excess;
    }
    if (this.#waiters.size > 0) this.#scan ??= setTimeout(() => this.#look(), SCAN_DELAY_MS);
  }

  #look(): void {
    clearTimeout(this.#scan);
    this.#scan = undefined;
    for (const waiter of this.#waiters) {
      const from = Math.max(0, waiter.after - this.#dropped);
      const found = search(this.#text.slice(from), waiter.pattern);
      if (found === undefined) continue;
      this.#waiters.delete(waiter);
      waiter.resolve({
        text: found.text,
        groups: found.groups,
        end: this.#dropped + from + found.end,
        atMs: this.#now() - this.#startedAt,
      });
    }
  }

  #close(): void {
    this.#isOpen = false;
    this.#look();
    for (const waiter of this.#waiters) {
      waiter.reject(this.#failure('exited', waiter.pattern, 'did not appear before the console ended'));
    }
    this.#waiters.clear();
  }

  #failure(code: 'console-timeout' | 'exited', pattern: string | RegExp, what: string): QemuError {
    const log = this.logFile === undefined ? '' : `; the whole console is in ${this.logFile}`;
    return new QemuError(code, `${describe(pattern)} ${what}${log}\n${this.lastLines(SHOWN_LINES)}`);
  }
}

/** A copy without the flags that make a regular expression remember where it was. */
function withoutState(pattern: string | RegExp): string | RegExp {
  if (typeof pattern === 'string') return pattern;
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
}

function search(
  text: string,
  pattern: string | RegExp,
): {text: string; groups: readonly (string | undefined)[]; end: number} | undefined {
  if (typeof pattern === 'string') {
    const at = text.indexOf(pattern);
    return at === -1 ? undefined : {text: pattern, groups: [], end: at + pattern.length};
  }
  const match = pattern.exec(text);
  if (match === null) return undefined;
  return {text: match[0], groups: match.slice(1), end: match.index + match[0].length};
}

function describe(pattern: string | RegExp): string {
  return typeof pattern === 'string' ? JSON.stringify(pattern) : String(pattern);
}

/**
 * Counts what node's test runner reports, by our rules: leaves are counted, suites are not; nothing may be skipped;
 * a file without tests, a file that fails outside its tests and a process warning are failures.
 */
export interface Failure {
  file: string;
  /** The names of suites and test, outermost first. */
  name: string;
  message: string;
}

export interface FileTime {
  file: string;
  seconds: number;
}

export interface Result {
  passed: number;
  failures: readonly Failure[];
  times: readonly FileTime[];
}

/** The part of a `test:pass`, `test:fail` or `test:complete` event that matters here. */
export interface TestEvent {
  file?: string | undefined;
  name: string;
  nesting: number;
  skip?: string | boolean | undefined;
  todo?: string | boolean | undefined;
  details: {type?: string | undefined; duration_ms: number; error?: unknown};
}

/** How Node prints `process.emitWarning`; the code in brackets comes with deprecations. */
const WARNING = /^\(node:\d+\) (?:\[\w+\] )?\w*Warning: /;

const LAST_WORDS = 20;

export class Tally {
  passed = 0;
  readonly failures: Failure[] = [];
  readonly times: FileTime[] = [];
  /** By file: names of the suites and tests that have started, by depth. */
  readonly #names = new Map<string, string[]>();
  /** By file: depths of which the next end is that of a parent, because its children's plan was just reported. */
  readonly #parents = new Map<string, Set<number>>();
  /** By file: what it printed last; the only explanation when it fails outside of its tests. */
  readonly #lastWords = new Map<string, string[]>();

  started(event: {file?: string | undefined; name: string; nesting: number}): void {
    const names = this.#names.get(event.file ?? '') ?? [];
    this.#names.set(event.file ?? '', [...names.slice(0, event.nesting), event.name]);
  }

  planned(event: {file?: string | undefined; nesting: number}): void {
    const file = event.file ?? '';
    const depths = this.#parents.get(file) ?? new Set();
    this.#parents.set(file, depths.add(event.nesting - 1));
  }

  passedOne(event: TestEvent): void {
    const isParent = this.#endParent(event);
    if (event.skip !== undefined && event.skip !== false)
      this.#fail(event, `skipped: ${reasonOf(event.skip)}`);
    else if (event.todo !== undefined && event.todo !== false)
      this.#fail(event, `left to do: ${reasonOf(event.todo)}`);
    else if (event.name === event.file) this.#fail(event, 'the file holds no tests');
    else if (!isParent) this.passed += 1;
  }

  failedOne(event: TestEvent): void {
    this.#endParent(event);
    // Its children have been counted.
    if (failureType(event.details.error) === 'subtestsFailed') return;
    const lastWords = event.name === event.file ? (this.#lastWords.get(event.file) ?? []) : [];
    this.#fail(event, [messageOf(event.details.error), ...lastWords].join('\n'));
  }

  completed(event: TestEvent): void {
    if (event.name !== event.file || event.nesting !== 0) return;
    this.times.push({file: event.file, seconds: event.details.duration_ms / 1000});
  }

  /** Standard error and diagnostics of a file. */
  printed(event: {file?: string | undefined; message: string}): void {
    const file = event.file ?? '';
    const message = event.message.trimEnd();
    if (WARNING.test(message)) this.failures.push({file, name: 'process warning', message});
    if (message !== '')
      this.#lastWords.set(file, [...(this.#lastWords.get(file) ?? []), message].slice(-LAST_WORDS));
  }

  #endParent(event: TestEvent): boolean {
    const hadPlan = this.#parents.get(event.file ?? '')?.delete(event.nesting) === true;
    return hadPlan || event.details.type === 'suite';
  }

  #fail(event: TestEvent, message: string): void {
    const file = event.file ?? '';
    const parents = (this.#names.get(file) ?? []).slice(0, event.nesting);
    const name = event.name === file ? 'outside of its tests' : [...parents, event.name].join(' > ');
    this.failures.push({file, name, message});
  }
}

function reasonOf(reason: string | boolean): string {
  return typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
}

function failureType(error: unknown): unknown {
  return error instanceof Error && 'failureType' in error ? error.failureType : undefined;
}

/** The runner wraps what a test threw; that has the useful message. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return error.cause.stack ?? error.cause.message;
  return typeof error.cause === 'string' ? error.cause : error.message;
}

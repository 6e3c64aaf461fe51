/**
 * The base of every error that Caisson raises on purpose.
 *
 * Each subsystem derives one class with a closed union of codes, so that callers branch on `code` and people
 * read `message` (which holds the values: path, expected, got) and `hint` (what to do next). Rejected: one class
 * for each failure. A subclass is only worth its name where a caller must tell it from its siblings.
 */
export interface CodedErrorOptions {
  /** What was caught; kept so that the entry point can print the chain. */
  cause?: unknown;
  /** Whether the same call may succeed later without anything being changed. */
  retryable?: boolean;
  /** One sentence telling the reader what to do. */
  hint?: string;
}

export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, {cause: options.cause});
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

/** Tells our own errors, whose code is then a string, from everything else. */
export function isCodedError(error: unknown): error is CodedError<string> {
  return error instanceof CodedError;
}

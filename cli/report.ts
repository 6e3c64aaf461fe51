/** How an error reaches a person: what happened, why, and what to do; a stack only for faults of our own. */
import {type CodedError, isCodedError} from '../formats/errors.ts';

/** Exit codes: 1 for anything that went wrong, 2 for a command line that cannot be understood, 130 after Ctrl-C. */
export function reportError(error: unknown, write: (text: string) => void): number {
  if (isCodedError(error)) {
    if (error.code === 'interrupted') {
      write(`caisson: ${error.message}\n`);
      return 130;
    }
    write(`caisson: ${chain(error).join('\n  because ')}\n`);
    const hint = hintOf(error) ?? (isOutOfSpace(error) ? SPACE_HINT : undefined);
    if (hint !== undefined) write(`hint: ${hint}\n`);
    return error.code === 'usage' ? 2 : 1;
  }
  const system = describeSystemError(error);
  if (system !== undefined) {
    write(`caisson: ${system}\n`);
    return 1;
  }
  write(`caisson: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

function chain(error: CodedError<string>): string[] {
  const messages: string[] = [];
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    // An outer message that already quotes its cause says enough.
    if (!messages.some((message) => message.includes(current.message))) messages.push(current.message);
  }
  return messages;
}

/** The nearest one: who wrapped an error without a word of advice leaves that of the cause. */
function hintOf(error: CodedError<string>): string | undefined {
  for (let current: unknown = error; isCodedError(current); current = current.cause)
    if (current.hint !== undefined) return current.hint;
  return undefined;
}

const SPACE_HINT = 'make room, for example with caisson clean';

/** Whether a write of ours found the disk full, or a program that we ran says so. */
function isOutOfSpace(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause)
    if (
      (current as {code?: unknown}).code === 'ENOSPC' ||
      /\bNo space left on device\b/.test(current.message)
    )
      return true;
  return false;
}

/** Errors of the operating system are the user's to mend; a stack would only hide them. */
function describeSystemError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const {code, path, dest} = error as {code?: unknown; path?: unknown; dest?: unknown};
  // Of a copy, `path` is what was read; the disk that is full is the other one.
  const place = code === 'ENOSPC' ? (dest ?? path) : path;
  const where = typeof place === 'string' ? ` (${place})` : '';
  if (code === 'ENOSPC') return `no space left on the disk${where}\nhint: ${SPACE_HINT}`;
  if (code === 'EACCES' || code === 'EPERM') return `not permitted${where}: ${error.message}`;
  if (code === 'ENOENT') return `does not exist${where}`;
  return undefined;
}

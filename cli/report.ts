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
    const hint = hintOf(error);
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

/** Errors of the operating system are the user's to mend; a stack would only hide them. */
function describeSystemError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const {code, path} = error as {code?: unknown; path?: unknown};
  const where = typeof path === 'string' ? ` (${path})` : '';
  if (code === 'ENOSPC')
    return `no space left on the disk${where}\nhint: caisson clean frees what builds keep`;
  if (code === 'EACCES' || code === 'EPERM') return `not permitted${where}: ${error.message}`;
  if (code === 'ENOENT') return `does not exist${where}`;
  return undefined;
}

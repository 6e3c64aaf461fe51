/**
 * Errors of the operating system on an open file know neither its name nor what was to be done: "EIO: i/o error, write"
 * does not tell an operator which disk is failing. The code stays, because callers decide by it.
 */
export async function namingErrors<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (!(error instanceof Error) || typeof code !== 'string' || !/^E[A-Z\d]+$/.test(code)) throw error;
    throw Object.assign(new Error(`${what}: ${error.message}`, {cause: error}), {code});
  }
}

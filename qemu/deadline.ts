/** Waiting for something that calls back, with a deadline and a way to give up. */

export interface Pending<T> {
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

export interface Deadline {
  /** Milliseconds from now. */
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * Calls `register` with a promise's two ends, and what that returns when the promise is settled. Rejects with
 * `onDeadline()` at the deadline and with the signal's reason when that aborts.
 */
export async function waitUntil<T>(
  options: Deadline & {onDeadline: () => Error},
  register: (pending: Pending<T>) => () => void,
): Promise<T> {
  options.signal?.throwIfAborted();
  let unregister: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => reject(options.onDeadline()), Math.max(0, options.deadlineMs));
      onAbort = () => reject(options.signal?.reason as Error);
      options.signal?.addEventListener('abort', onAbort, {once: true});
      unregister = register({resolve, reject});
    });
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) options.signal?.removeEventListener('abort', onAbort);
    unregister?.();
  }
}

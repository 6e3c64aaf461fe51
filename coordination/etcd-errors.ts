/** What the lock says when etcd or the document is at fault: the same words, under the lock's own codes. */
import {SemaphoreError} from '../formats/semaphore/types.ts';
import {EtcdError} from '../platform/etcd/errors.ts';
import {LockError} from './lock.ts';

/** Runs it, and lets its errors out as LockError; what the signal threw passes as it is. */
export async function asLockErrors<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toLockError(error);
  }
}

export function toLockError(error: unknown): unknown {
  if (error instanceof EtcdError) {
    const {code, message, retryable, hint} = error;
    return new LockError(code === 'not-etcd' ? 'refused' : code, message, {
      cause: error,
      retryable,
      ...(hint === undefined ? {} : {hint}),
    });
  }
  if (error instanceof SemaphoreError) {
    const {code, message, hint} = error;
    if (code === 'corrupt' || code === 'foreign')
      return new LockError(code, message, {
        cause: error,
        hint: 'it is left as it is; look at it with etcdctl get, and put it right or remove it while no host restarts',
      });
    return new LockError('refused', message, {cause: error, ...(hint === undefined ? {} : {hint})});
  }
  return error;
}

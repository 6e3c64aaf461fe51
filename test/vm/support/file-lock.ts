/**
 * Locks between test processes. flock(1) holds them, so that the kernel gives a lock back when its owner dies and
 * there is no such thing as a stale one. Why not a file made with O_EXCL: whoever finds it abandoned must remove it
 * without removing that of the next.
 */
import {once} from 'node:events';
import {type Argv, start} from '../../../platform/exec.ts';

export interface LockOptions {
  mode: 'shared' | 'exclusive';
  signal?: AbortSignal | undefined;
}

/** Waits for the lock and holds it while `use` runs. The lock file is made when missing, and stays. */
export async function withFileLock<T>(path: string, options: LockOptions, use: () => Promise<T>): Promise<T> {
  const release = await lock(path, [`--${options.mode}`], options.signal);
  if (release === undefined) throw new Error(`flock ended without the lock ${path}`);
  try {
    return await use();
  } finally {
    await release();
  }
}

/** Like `withFileLock` with an exclusive lock, but does nothing when someone else has it. */
export async function tryFileLock(path: string, use: () => Promise<void>): Promise<void> {
  const release = await lock(path, ['--exclusive', '--nonblock'], undefined);
  if (release === undefined) return;
  try {
    await use();
  } finally {
    await release();
  }
}

async function lock(
  path: string,
  flags: readonly string[],
  signal: AbortSignal | undefined,
): Promise<(() => Promise<void>) | undefined> {
  signal?.throwIfAborted();
  // Ends, and with it the lock, when its standard input does: when we end it, or when we die.
  const holder: Argv = ['flock', '--no-fork', ...flags, path, 'sh', '-c', 'echo held; exec cat'];
  const child = start(holder, {signal});
  const isHeld = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    child.ended.then(() => false),
  ]);
  signal?.throwIfAborted();
  if (!isHeld) return undefined;
  return async () => {
    child.stdin.end();
    await child.ended;
  };
}

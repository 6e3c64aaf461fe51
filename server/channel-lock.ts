/**
 * One at a time may change the channels: between reading the file and replacing it nobody else may do the same, or one
 * of two promotions is lost.
 */
import {join} from 'node:path';
import {holdLock} from './lock-file.ts';

const LOCK_FILE = '.channels.lock';
/** A promotion takes milliseconds; whoever has it for longer than this needs a person's look. */
const PATIENCE_MS = 30_000;

/** Throws ServerError 'locked' when another one does not come to an end, and the signal's reason. */
export async function withChannelLock<T>(
  dir: string,
  signal: AbortSignal,
  use: () => Promise<T>,
): Promise<T> {
  const release = await holdLock(join(dir, LOCK_FILE), {
    patienceMs: PATIENCE_MS,
    hint: 'if no caisson promote is running, remove that file',
    signal,
  });
  try {
    return await use();
  } finally {
    await release();
  }
}

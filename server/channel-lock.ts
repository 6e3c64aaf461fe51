/**
 * One at a time may change the channels: between reading the file and replacing it nobody else may do the same, or one
 * of two promotions is lost. The lock is a file that only one process can make; it names its maker, so that what a
 * killed one left behind is told from one that works.
 *
 * Rejected: flock, which Node cannot call, and which would cost a process of another program for a few milliseconds.
 */
import {randomBytes} from 'node:crypto';
import {link, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {ServerError} from './errors.ts';

const LOCK_FILE = '.channels.lock';
const PAUSE_MS = 20;
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

/** Of this process: in a container, the one before had the same name and the same number. */
const PROCESS_MARK = randomBytes(8).toString('hex');

/** Gives what lets go of it. Throws ServerError 'locked' when another one has it for longer than one has patience. */
export async function holdLock(
  path: string,
  options: {readonly patienceMs: number; readonly hint: string; readonly signal: AbortSignal},
): Promise<() => Promise<void>> {
  const owner = `${hostname()} ${process.pid} ${PROCESS_MARK} ${randomBytes(8).toString('hex')}`;
  await take(path, owner, options);
  return () => rm(path, {force: true});
}

async function take(
  path: string,
  owner: string,
  {patienceMs, hint, signal}: Parameters<typeof holdLock>[1],
): Promise<void> {
  const own = `${path}.${owner.replaceAll(/[^\w.-]/g, '-')}`;
  await writeFile(own, owner, {flag: 'wx'});
  try {
    for (let waited = 0; !(await linked(own, path)); waited += PAUSE_MS) {
      if (await isAbandoned(path)) await setAside(path, own);
      if (waited >= patienceMs) {
        const holder = await readFile(path, 'utf8').catch(() => '?');
        throw new ServerError('locked', `${path} is held by ${holder}`, {hint, retryable: true});
      }
      await sleep(PAUSE_MS, undefined, {signal});
    }
  } finally {
    await rm(own, {force: true});
  }
}

/** A link appears with its content, and only where nothing is. */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as {code?: unknown}).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether its maker was a process of this machine that is gone. */
async function isAbandoned(path: string): Promise<boolean> {
  const owner = await readFile(path, 'utf8').catch(() => '');
  const [host, pid, mark] = owner.split(' ');
  if (host !== hostname() || !/^\d{1,10}$/.test(pid ?? '')) return false;
  if (Number(pid) === process.pid) return mark !== PROCESS_MARK;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as {code?: unknown}).code === 'ESRCH';
  }
}

/** Moves it to a name of its own first: of two that find it, one moves it, and neither takes away a new one unseen. */
async function setAside(path: string, own: string): Promise<void> {
  const aside = `${own}.old`;
  await rename(path, aside).catch(() => undefined);
  if ((await stat(aside).catch(() => null)) === null) return;
  // Between the look and the move somebody may have taken the lock anew: then it goes back.
  if (!(await isAbandoned(aside))) await linked(aside, path);
  await rm(aside, {force: true});
}

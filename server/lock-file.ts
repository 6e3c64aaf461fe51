/**
 * A file that only one process can make, as a lock between processes. It names its maker, so that what a killed one left
 * behind is told from one that works.
 *
 * Rejected: flock, which Node cannot call, and which would cost a process of another program for a few milliseconds.
 */
import {randomBytes} from 'node:crypto';
import {link, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import {hostname} from 'node:os';
import {setTimeout as sleep} from 'node:timers/promises';
import {ServerError} from './errors.ts';

const PAUSE_MS = 20;

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

/**
 * Builds run inside a namespace of their own: every mount, scratch file system and child process belongs to it and
 * disappears with it, however the build ends (Ctrl-C, kill -9, crash). An ordinary user gets a user namespace in
 * which uid 0 is the user and the other ids come from /etc/subuid, so the same code serves both.
 *
 * Rejected: bubblewrap, which maps a single id and so cannot keep the owners of files in a package; and mounting on
 * the host with clean-up in a `finally`, which a SIGKILL skips.
 */
import {readFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {CodedError} from '../formats/errors.ts';
import {type Argv, start} from './exec.ts';

export class NamespaceError extends CodedError<'no-subuid' | 'unshare-failed'> {}

const MARKER = 'CAISSON_NAMESPACE';

export function isInNamespace(): boolean {
  // The first process of its own process namespace: a variable alone could have come from anywhere.
  return process.env[MARKER] === '1' && process.pid === 1;
}

/**
 * Runs this same program again, with the same arguments, inside new mount and process namespaces, holding an
 * exclusive lock on `lockFile` so that two builds never share a cache at once; `onWait` is called when another holds it.
 * Returns the exit code.
 */
export async function reenterInNamespace(lockFile: string, onWait: () => void): Promise<number> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) requireSubordinateIds();
  const inner = [
    'unshare',
    ...(isRoot ? [] : ['--user', '--map-root-user', '--map-auto']),
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  const first = await runInTerminal([
    ...lockedBy(lockFile, ['--nonblock', '--conflict-exit-code', String(LOCKED)]),
    ...inner,
  ]);
  if (first !== LOCKED) return first;
  onWait();
  return runInTerminal([...lockedBy(lockFile), ...inner]);
}

/** An exit code that no program of ours uses. */
const LOCKED = 75;
/** What a build may take to tidy up when it is told to stop. */
const TIDY_UP_MS = 10_000;

/**
 * The command is to die with this process, whatever kills it: the kernel sends it a SIGKILL then, `--kill-child`
 * passes that on to the first process of the namespace, and with it ends everything inside. Neither program of the
 * chain may fork, because the kernel's promise does not reach children; the lock lasts until the last process ends.
 */
function lockedBy(lockFile: string, options: readonly string[] = []): [string, ...string[]] {
  return ['setpriv', '--pdeathsig', 'KILL', 'flock', '--no-fork', ...options, lockFile];
}

async function runInTerminal(argv: Argv): Promise<number> {
  const child = start(argv, {stdio: 'inherit', env: {[MARKER]: '1'}});
  // Ctrl-C reaches the child through the terminal; this process only waits for it to tidy up.
  const ignore = (): void => undefined;
  let impatience: NodeJS.Timeout | undefined;
  const forward = (): void => {
    // unshare itself is deaf to SIGTERM while its child lives.
    for (const pid of childrenOf(child.pid)) signalIfAlive(pid);
    impatience ??= setTimeout(() => child.kill('SIGKILL'), TIDY_UP_MS);
  };
  process.on('SIGINT', ignore).on('SIGTERM', forward);
  const end = await child.ended;
  clearTimeout(impatience);
  process.off('SIGINT', ignore).off('SIGTERM', forward);
  // Not started, or killed (by a person, or for want of memory): that has a message.
  if (end.exitCode === undefined) await child.finished();
  return end.exitCode ?? 1;
}

function signalIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as {code?: unknown}).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number | undefined): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function requireSubordinateIds(): void {
  const user = userInfo().username;
  const hasRange = ['/etc/subuid', '/etc/subgid'].every((file) =>
    readText(file)
      .split('\n')
      .some((line) => line.startsWith(`${user}:`) || line.startsWith(`${userInfo().uid}:`)),
  );
  if (!hasRange) {
    throw new NamespaceError('no-subuid', `user ${user} has no range in /etc/subuid and /etc/subgid`, {
      hint: `run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`,
    });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

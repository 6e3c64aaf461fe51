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
  return process.env[MARKER] === '1';
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
    'flock',
    '--nonblock',
    '--conflict-exit-code',
    String(LOCKED),
    lockFile,
    ...inner,
  ]);
  if (first !== LOCKED) return first;
  onWait();
  return runInTerminal(['flock', lockFile, ...inner]);
}

/** An exit code that no program of ours uses. */
const LOCKED = 75;

async function runInTerminal(argv: Argv): Promise<number> {
  const child = start(argv, {stdio: 'inherit', env: {[MARKER]: '1'}});
  // Ctrl-C reaches the child through the terminal; this process only waits for it to tidy up.
  const ignore = (): void => undefined;
  const forward = (): void => child.kill('SIGTERM');
  process.on('SIGINT', ignore).on('SIGTERM', forward);
  const end = await child.ended;
  process.off('SIGINT', ignore).off('SIGTERM', forward);
  return end.exitCode ?? 1;
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

/**
 * Asks logind, by busctl: Node has no client of D-Bus that is kept up, and the questions are few. The bus is reached
 * through AF_UNIX, which the sandbox of a service leaves open.
 */
import {
  type Inhibitor,
  LogindError,
  type Session,
  type SessionName,
  parseInhibitors,
  parseSession,
  parseSessionNames,
} from '../formats/logind.ts';
import {exec} from './exec.ts';

export interface Logind {
  /** Each throws LogindError when the answer is not known. */
  inhibitors(signal: AbortSignal): Promise<readonly Inhibitor[]>;
  sessions(signal: AbortSignal): Promise<readonly (SessionName & Session)[]>;
}

const SERVICE = 'org.freedesktop.login1';
const MANAGER = ['/org/freedesktop/login1', 'org.freedesktop.login1.Manager'] as const;
const OBJECT = /^\/org\/freedesktop\/login1\/session\/[A-Za-z0-9_]{1,200}$/;
/** Of one call; logind answers in milliseconds, and on a machine under load in seconds. */
const CALL_TIMEOUT_S = 20;
/** Each costs a process. Who has more people on a host than this does not want it to restart. */
const MAX_SESSIONS = 200;

export function openLogind(): Logind {
  async function list(signal: AbortSignal): Promise<readonly SessionName[]> {
    return parseSessionNames(await call(signal, ...MANAGER, 'ListSessions'));
  }

  async function look({path}: SessionName, signal: AbortSignal): Promise<Session> {
    if (!OBJECT.test(path))
      throw new LogindError('bad-answer', `${path.slice(0, 80)} is no session of logind`);
    const interfaces = ['org.freedesktop.DBus.Properties', 'GetAll', 's', 'org.freedesktop.login1.Session'];
    return parseSession(await call(signal, path, ...interfaces));
  }

  return {
    async inhibitors(signal) {
      return parseInhibitors(await call(signal, ...MANAGER, 'ListInhibitors'));
    },
    async sessions(signal) {
      const names = await list(signal);
      if (names.length > MAX_SESSIONS)
        throw new LogindError('bad-answer', `there are ${names.length} sessions, more than ${MAX_SESSIONS}`);
      const found: (SessionName & Session)[] = [];
      for (const name of names) {
        try {
          found.push({...name, ...(await look(name, signal))});
        } catch (error) {
          // One that ended between the two questions is none any more.
          if ((await list(signal)).some(({path}) => path === name.path)) throw error;
        }
      }
      return found;
    },
  };
}

async function call(signal: AbortSignal, ...words: readonly string[]): Promise<string> {
  const options = ['--system', '--json=short', '--no-pager', `--timeout=${CALL_TIMEOUT_S}`] as const;
  try {
    const argv = ['busctl', ...options, 'call', SERVICE, ...words] as const;
    return (await exec(argv, {signal, env: {LC_ALL: 'C.UTF-8'}, timeoutMs: 2000 * CALL_TIMEOUT_S})).stdout;
  } catch (error) {
    signal.throwIfAborted();
    const [reason = ''] = error instanceof Error ? error.message.split('\n') : [];
    const said = error instanceof Error ? (error.message.split('\n')[1] ?? reason) : String(error);
    throw new LogindError('no-answer', `logind cannot be asked: ${said}`, {cause: error, retryable: true});
  }
}

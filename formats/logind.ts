/** What logind says of inhibitors and sessions, as `busctl --json=short` prints its answers (sd-bus JSON, busctl(1)). */
import {CodedError} from './errors.ts';
import {describeIssues, z} from './schema.ts';

export class LogindError extends CodedError<'bad-answer' | 'no-answer'> {}

export interface Inhibitor {
  /** Operations, such as `shutdown`, `sleep`, `handle-lid-switch`. */
  readonly what: readonly string[];
  readonly who: string;
  readonly why: string;
  /** `block`, `block-weak`, `delay`. */
  readonly mode: string;
  readonly uid: number;
  readonly pid: number;
}

export interface SessionName {
  readonly id: string;
  readonly uid: number;
  readonly user: string;
  /** D-Bus object. */
  readonly path: string;
}

export interface Session {
  /** `user`, `greeter`, `background`, `manager`, ... */
  readonly class: string;
  /** `tty`, `x11`, `wayland`, `unspecified`, ... */
  readonly type: string;
  /** `online`, `active`, `closing`. */
  readonly state: string;
  /** `pts/0`, `tty1`; empty when logind was not told, as by sshd. */
  readonly tty: string;
  readonly isRemote: boolean;
  readonly remoteHost: string;
  /** The first process of it; 0 when unknown. */
  readonly leader: number;
}

/** logind has at most 8192 of each. */
const MAX_ROWS = 10_000;
const word = z.string().max(4096);
const number = z.int().nonnegative();

const inhibitorsSchema = z.object({
  type: z.literal('a(ssssuu)'),
  data: z.tuple([z.array(z.tuple([word, word, word, word, number, number])).max(MAX_ROWS)]),
});
const sessionsSchema = z.object({
  type: z.literal('a(susso)'),
  data: z.tuple([z.array(z.tuple([word, number, word, word, word])).max(MAX_ROWS)]),
});
const property = z.object({data: word});
const sessionSchema = z.object({
  type: z.literal('a{sv}'),
  data: z.tuple([
    z.object({
      Class: property,
      Type: property,
      State: property,
      TTY: property,
      Remote: z.object({data: z.boolean()}),
      RemoteHost: property,
      Leader: z.object({data: number}),
    }),
  ]),
});

/** The answer of Manager.ListInhibitors. Throws LogindError. */
export function parseInhibitors(text: string): readonly Inhibitor[] {
  const {data} = parse(inhibitorsSchema, text);
  return data[0].map(([what, who, why, mode, uid, pid]) => ({
    ...{what: what.split(':'), who, why, mode, uid, pid},
  }));
}

/** The answer of Manager.ListSessions. Throws LogindError. */
export function parseSessionNames(text: string): readonly SessionName[] {
  const {data} = parse(sessionsSchema, text);
  return data[0].map(([id, uid, user, , path]) => ({id, uid, user, path}));
}

/** The answer of Properties.GetAll for org.freedesktop.login1.Session. Throws LogindError. */
export function parseSession(text: string): Session {
  const [{Class, Type, State, TTY, Remote, RemoteHost, Leader}] = parse(sessionSchema, text).data;
  return {
    class: Class.data,
    type: Type.data,
    state: State.data,
    tty: TTY.data,
    isRemote: Remote.data,
    remoteHost: RemoteHost.data,
    leader: Leader.data,
  };
}

export interface Terminal {
  /** `/dev/pts/0`. */
  readonly path: string;
  /** Of its owner. */
  readonly uid: number;
}

/** A session in which somebody sits, as far as can be told. */
export interface InteractiveSession {
  readonly id: string;
  readonly user: string;
  /** Where from; empty for one at the machine itself. */
  readonly remoteHost: string;
  /** Paths; none for a graphical one. */
  readonly terminals: readonly string[];
}

/** Of sessions of type `tty`, which those without a terminal are as well. */
const GRAPHICAL = ['x11', 'wayland', 'mir', 'web'];

/**
 * Those of people. sshd does not tell logind the terminal of a session, nor whether it has any; it is one of the pseudo
 * terminals that belong to its user, and without any such it is a command or a copy, which the lineage did not wait for
 * either.
 */
export function interactiveSessions(
  sessions: readonly (SessionName & Session)[],
  pseudoTerminals: readonly Terminal[],
): readonly InteractiveSession[] {
  return sessions
    .filter((session) => session.class.startsWith('user') && session.state !== 'closing')
    .flatMap(({id, uid, user, remoteHost, tty, type}) => {
      const own = pseudoTerminals.filter((each) => each.uid === uid).map(({path}) => path);
      const terminals = /^(pts\/\d+|tty\w+)$/.test(tty) ? [`/dev/${tty}`] : own;
      const isInteractive = GRAPHICAL.includes(type) || (type === 'tty' && terminals.length > 0);
      return isInteractive ? [{id, user, remoteHost, terminals}] : [];
    });
}

/**
 * Whether it stops the machine from going down. `block-weak` (systemd 257) is one that its own user may overrule; who
 * set it wants to be asked, and an update is no such user.
 */
export function blocksShutdown({what, mode}: Inhibitor): boolean {
  return what.includes('shutdown') && (mode === 'block' || mode === 'block-weak');
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LogindError('bad-answer', `logind's answer is no JSON: ${text.slice(0, 80)}`, {cause: error});
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new LogindError('bad-answer', `logind's answer is of another form: ${describeIssues(result.error)}`);
}

/**
 * People who are logged in: they are told, and have a while to leave. The lineage wrote "5 minutes" to all terminals and
 * slept for that long; here the machine goes as soon as they have left, and it can be told to wait for ever.
 */
import {
  type InteractiveSession,
  LogindError,
  type Terminal,
  interactiveSessions,
} from '../../formats/logind.ts';
import type {Reading} from '../../formats/update-conf-values.ts';
import type {Logind} from '../../platform/logind.ts';
import type {Gate, GateAnswer, RebootPlan} from './gate.ts';
import {type HookUnit, HookUnitError} from './hook-unit.ts';
import {minutesText, printable} from './words.ts';

export interface SessionsGateParts {
  readonly logind: Pick<Logind, 'sessions'>;
  /** Those of sshd, of which logind does not know. */
  readonly pseudoTerminals: () => Promise<readonly Terminal[]>;
  readonly unit: Pick<HookUnit, 'warn'>;
  /** Asked anew each time. */
  readonly waitMs: () => Reading<number | 'forever'>;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly hostname: string;
}

export interface SessionsGate extends Gate {
  /** Whether sessions hold a reboot up for as long as they last. */
  blocksForever(): boolean;
  /** The reboot is not wanted any more; who was warned is told. Never throws. */
  calledOff(): Promise<void>;
}

/** What was said so far, of one plan. */
interface Warned {
  readonly planKey: string;
  /** Sessions that have been told. */
  readonly ids: ReadonlySet<string>;
  /** Monotonic; null when they may stay. */
  readonly deadline: number | null;
  readonly saidLastMinute: boolean;
}

const MINUTE_MS = 60_000;
/** Who leaves is not made to wait for: asking costs a few milliseconds of processor time. */
const POLL_MS = 10_000;
/** When nothing but the end of a session helps. */
const FOREVER_POLL_MS = 30_000;
const UNKNOWN_AGAIN_MS = 60_000;
/** So long after its time a warning is forgotten: something else held the restart up, and nobody expects it any more. */
const STALE_MS = 10 * MINUTE_MS;
const CALL_OFF_TIMEOUT_MS = 30_000;
const MAX_NAMED = 5;

export function createSessionsGate(parts: SessionsGateParts): SessionsGate {
  const {logind, pseudoTerminals, unit, waitMs, now, hostname} = parts;
  let warned: Warned | null = null;

  async function say(text: string, signal: AbortSignal): Promise<void> {
    const {problem} = await unit.warn({text}, signal);
    if (problem !== null) throw new HookUnitError('not-run', `terminals were not told: ${problem}`);
  }

  /** Tells whoever has not been told, and everybody once more in the last minute. */
  async function warn(
    sessions: readonly InteractiveSession[],
    plan: RebootPlan,
    wait: number | 'forever',
    signal: AbortSignal,
  ): Promise<Warned> {
    const planKey = `${plan.kind} ${plan.version}`;
    const isStale = typeof warned?.deadline === 'number' && now() - warned.deadline > STALE_MS;
    const before = warned?.planKey === planKey && !isStale ? warned : null;
    const isNews = sessions.some(({id}) => before?.ids.has(id) !== true);
    const leftMs = timeLeft(before?.deadline ?? null, isNews && before !== null, wait);
    const isLastMinute = leftMs !== null && leftMs <= MINUTE_MS;
    const isDue = isNews || (isLastMinute && before?.saidLastMinute === false && leftMs > 0);
    if (isDue) await say(warningText(plan, leftMs, hostname), signal);
    // Only now they know: on a busy machine telling them takes a while.
    const isFirst = before?.deadline === undefined || before.deadline === null;
    const deadline = leftMs === null ? null : isNews || isFirst ? now() + leftMs : before.deadline;
    const ids = new Set([...(before?.ids ?? []), ...sessions.map(({id}) => id)]);
    return {planKey, ids, deadline, saidLastMinute: (before?.saidLastMinute ?? false) || isLastMinute};
  }

  /** Null when they may stay. Who came late has a minute all the same. */
  function timeLeft(deadline: number | null, isLate: boolean, wait: number | 'forever'): number | null {
    if (wait === 'forever') return null;
    if (deadline === null) return wait;
    const leftMs = deadline - now();
    return isLate ? Math.max(leftMs, Math.min(wait, MINUTE_MS)) : leftMs;
  }

  async function evaluate(plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer> {
    const wait = waitMs();
    if (wait.kind === 'bad') return {kind: 'unknown', detail: wait.problem, againMs: UNKNOWN_AGAIN_MS};
    const sessions = interactiveSessions(await logind.sessions(signal), await pseudoTerminals());
    if (sessions.length === 0) {
      // Whoever logs in from now on has heard nothing yet.
      warned = null;
      return {kind: 'open', detail: 'nobody is logged in', againMs: null};
    }
    const people = describe(sessions);
    warned = await warn(sessions, plan, wait.value, signal);
    const {deadline} = warned;
    if (deadline === null)
      return {
        kind: 'closed',
        detail: `logged in: ${people}; waits for the end of that`,
        againMs: FOREVER_POLL_MS,
      };
    const leftMs = deadline - now();
    if (leftMs <= 0)
      return {kind: 'open', detail: `still logged in after a warning: ${people}`, againMs: null};
    return {
      kind: 'closed',
      detail: `logged in and warned: ${people}; waits for ${minutesText(leftMs)} at most`,
      againMs: Math.min(POLL_MS, leftMs, leftMs > MINUTE_MS ? leftMs - MINUTE_MS : leftMs),
    };
  }

  return {
    name: 'sessions',
    blocksForever() {
      const wait = waitMs();
      return wait.kind === 'value' && wait.value === 'forever';
    },
    async ask(plan, signal) {
      try {
        return await evaluate(plan, signal);
      } catch (error) {
        signal.throwIfAborted();
        const detail = error instanceof Error ? error.message : String(error);
        if (error instanceof LogindError || error instanceof HookUnitError)
          return {kind: 'unknown', detail, againMs: UNKNOWN_AGAIN_MS};
        return {
          kind: 'unknown',
          detail: `sessions cannot be looked at: ${detail}`,
          againMs: UNKNOWN_AGAIN_MS,
        };
      }
    },
    async calledOff() {
      if (warned === null) return;
      warned = null;
      const text = `The restart of ${hostname} that was announced is called off.`;
      await say(text, AbortSignal.timeout(CALL_OFF_TIMEOUT_MS)).catch(() => undefined);
    },
  };
}

/** The lineage's sentence, with what is about to run. */
function warningText(plan: RebootPlan, leftMs: number | null, hostname: string): string {
  const what = plan.kind === 'rollback' ? 'goes back to' : 'restarts into';
  const why = plan.kind === 'requested' ? 'An operator asked for it.' : `It ${what} release ${plan.version}.`;
  if (leftMs === null)
    return `${hostname} will reboot when everybody has logged out. ${why} Please end your work here.`;
  const when = leftMs <= 0 ? 'now' : `in ${minutesText(leftMs)}`;
  return `${hostname} will reboot ${when}. ${why} Please save your work and log out.`;
}

function describe(sessions: readonly InteractiveSession[]): string {
  const named = sessions.map(({user, remoteHost, terminals}) => {
    const where = terminals.length === 0 ? '' : ` on ${terminals.map((path) => path.slice(5)).join(' and ')}`;
    return `${printable(user)}${where}${remoteHost === '' ? '' : ` from ${printable(remoteHost)}`}`;
  });
  // Of two connections of one user from one place it is not known which has the terminal.
  const different = [...new Set(named)];
  const more = different.length > MAX_NAMED ? ` and ${different.length - MAX_NAMED} more` : '';
  return `${different.slice(0, MAX_NAMED).join(', ')}${more}`;
}

/** The lock as a condition: asks for it, again and again, and never takes silence for a yes. */
import {type LockAnswer, LockError, type RebootLock} from '../../coordination/lock.ts';
import type {RebootDebt} from '../state/documents.ts';
import type {GateAnswer, RebootPlan} from './gate.ts';
import type {Memo} from './memo.ts';
import type {LockKind} from './strategy.ts';

export interface LockGateParts {
  readonly memo: Memo;
  readonly now: () => number;
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  /** Throws LockError 'settings'. */
  readonly openLock: (kind: LockKind) => Promise<RebootLock>;
}

export interface LockGate {
  /** Times that the lock was asked for since the reboot is wanted. */
  readonly attempts: number;
  ask(kind: LockKind, plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer>;
  forget(): void;
}

/** The lineage began with ten seconds and doubled up to five minutes. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** Who is next does not leave the slot empty for minutes. */
const NEXT_PAUSE_MS = 15_000;

export function createLockGate({memo, now, random, openLock}: LockGateParts): LockGate {
  let attempts = 0;

  function pauseMs(longestMs: number): number {
    const ms = Math.min(longestMs, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 10));
    return Math.round(ms * (0.5 + random() / 2));
  }

  return {
    get attempts() {
      return attempts;
    },
    async ask(kind, plan, signal) {
      attempts += 1;
      const before = memo.current();
      const debt: RebootDebt = {
        lock: kind,
        purpose: 'restart',
        version: plan.version,
        previousVersion: plan.previousVersion,
        reason: reasonOf(plan),
        askedAt: before?.askedAt ?? now(),
        heldSince: before?.heldSince ?? null,
        hooksRan: before?.hooksRan ?? false,
      };
      try {
        const lock = await openLock(kind);
        try {
          await memo.save(debt);
          const answer = await lock.acquire({reason: debt.reason, version: plan.version}, signal);
          if (answer.kind === 'full') {
            const isNext = answer.position !== null && answer.position <= (answer.max ?? 1);
            const againMs = pauseMs(isNext ? NEXT_PAUSE_MS : LONGEST_PAUSE_MS);
            return {kind: 'closed', detail: describeFull(lock.where, answer, now()), againMs};
          }
          await memo.save({...debt, heldSince: answer.since ?? debt.heldSince ?? now()});
          return {kind: 'open', detail: `this host holds the lock of ${lock.where}`, againMs: null};
        } finally {
          await lock.close();
        }
      } catch (error) {
        if (!(error instanceof LockError)) throw error;
        return {kind: 'unknown', detail: describeLockError(error), againMs: pauseMs(LONGEST_PAUSE_MS)};
      }
    },
    forget() {
      attempts = 0;
    },
  };
}

export function describeLockError({message, hint}: LockError): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

/** Shown to everybody who looks at the lock. */
function reasonOf({kind, version, previousVersion}: RebootPlan): string {
  if (kind === 'requested') return 'a restart that an operator asked for';
  return kind === 'rollback'
    ? `going back to ${version}`
    : `restarting from ${previousVersion} into ${version}`;
}

/** The holders by age: who is named first has held it longest. */
function describeFull(where: string, answer: LockAnswer & {kind: 'full'}, now: number): string {
  const holders = [...answer.holders]
    .sort((a, b) => (a.since ?? 0) - (b.since ?? 0))
    .map((holder) => {
      const minutes = holder.since === null ? null : Math.max(0, Math.round((now - holder.since) / 60_000));
      const age = minutes === null ? '' : ` for ${minutes} min`;
      return `${holder.id}${age}${holder.reason === null ? '' : ` (${holder.reason})`}`;
    });
  const shown = holders.slice(0, MAX_HOLDERS).join(', ');
  const more = holders.length > MAX_HOLDERS ? ` and ${holders.length - MAX_HOLDERS} more` : '';
  const by = shown === '' ? '' : `, held by ${shown}${more}`;
  const place = answer.position === null ? '' : `; this host is number ${answer.position} of those who wait`;
  return `the lock of ${where} is taken${by}${place}`;
}

const MAX_HOLDERS = 5;

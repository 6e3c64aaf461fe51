/**
 * Giving back what was taken for a reboot: the post-good hooks, then the lock. Done once the running system is known to
 * be good, and tried until it is done; the lineage released its lock seconds after the start, whatever had started.
 *
 * After a rollback the hooks run as well, because the host works again, but the lock stays: the next host would walk into
 * the same release. It is freed by an operator, or once the channel offers something else.
 */
import {LockError, type RebootLock} from '../../coordination/lock.ts';
import type {Journal} from '../../platform/journal.ts';
import type {Clock} from '../clock.ts';
import type {RebootDebt} from '../state/documents.ts';
import {describeLockError} from './lock-gate.ts';
import type {Memo} from './memo.ts';
import type {LockKind} from './strategy.ts';

/** Null when the hooks passed; else why not. */
export type HooksOutcome = string | null;

export interface AftermathParts {
  readonly memo: Memo;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly journal: Journal;
  readonly openLock: (kind: LockKind) => Promise<RebootLock>;
  readonly runHooks: (debt: RebootDebt, signal: AbortSignal) => Promise<HooksOutcome>;
  readonly touch: () => void;
}

export interface Aftermath {
  /** Why the debt is not paid yet; null when there is none, or nothing was tried yet. */
  readonly reason: string | null;
  /** Begins, unless it has; ends by itself when nothing is owed any more. */
  begin(): void;
  /** One try, now. */
  tryOnce(signal: AbortSignal): Promise<void>;
  /** Ends the trying, and waits for what is under way. */
  pause(): Promise<void>;
  /** The lock stays with this host, for this reason. */
  keep(version: string, reason: string): Promise<void>;
  /** What the channel offered at a time (milliseconds since 1970); null for nothing. */
  offered(version: string | null, at: number): Promise<void>;
}

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

export function createAftermath(parts: AftermathParts): Aftermath {
  const {memo, clock, journal, openLock, runHooks, touch} = parts;
  let running: {stop: AbortController; ended: Promise<void>} | null = null;
  let reason: string | null = null;

  function say(next: string | null): void {
    if (next === reason) return;
    reason = next;
    if (next !== null) journal.warn(next);
    touch();
  }

  async function payHooks(debt: RebootDebt, signal: AbortSignal): Promise<boolean> {
    if (!debt.hooksRan) return true;
    const outcome = await runHooks(debt, signal);
    if (outcome !== null) {
      say(`${debt.lock === 'none' ? '' : 'the reboot lock is kept: '}${outcome}`);
      return false;
    }
    await memo.save({...debt, hooksRan: false});
    return true;
  }

  async function withLock<T>(kind: LockKind, use: (lock: RebootLock) => Promise<T>): Promise<T> {
    const lock = await openLock(kind);
    try {
      return await use(lock);
    } finally {
      await lock.close();
    }
  }

  /** True when nothing is owed any more. */
  async function pay(signal: AbortSignal): Promise<boolean> {
    const debt = memo.current();
    if (debt === null) return true;
    if (!(await payHooks(debt, signal))) return false;
    if (debt.lock === 'none') {
      await memo.save(null);
      return true;
    }
    const {lock: kind, version, purpose} = debt;
    try {
      if (purpose === 'rolled-back') {
        const ask = {reason: debt.reason, version};
        if ((await withLock(kind, (lock) => lock.keep(ask, signal))) === 'kept') {
          say(`the reboot lock is kept: ${debt.reason}`);
          return false;
        }
        journal.info('the reboot lock was freed by somebody else');
      } else {
        const outcome = await withLock(kind, (lock) => lock.release(signal));
        if (outcome === 'released') journal.info('the reboot lock is released');
      }
    } catch (error) {
      if (!(error instanceof LockError)) throw error;
      say(`the reboot lock is not released yet: ${describeLockError(error)}`);
      return false;
    }
    await memo.save(null);
    say(null);
    return true;
  }

  async function untilPaid(signal: AbortSignal): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        if (await pay(signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        say(`the reboot lock is not released yet: ${error instanceof Error ? error.message : String(error)}`);
      }
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  async function pause(): Promise<void> {
    running?.stop.abort();
    await running?.ended;
  }

  function begin(): void {
    if (running !== null || memo.current() === null) return;
    const stop = new AbortController();
    const ended = untilPaid(stop.signal).finally(() => {
      running = null;
    });
    running = {stop, ended};
  }

  return {
    get reason() {
      return memo.current() === null ? null : reason;
    },
    begin,
    pause,
    async tryOnce(signal) {
      await pause();
      await pay(signal).catch((error: unknown) => {
        if (!signal.aborted) say(error instanceof Error ? error.message : String(error));
      });
    },
    async keep(version, why) {
      const debt = memo.current();
      if (debt === null || debt.lock === 'none') return;
      await memo.save({
        ...debt,
        purpose: 'rolled-back',
        version,
        reason: `${version} was left behind: ${why}`,
      });
    },
    async offered(version, at) {
      const debt = memo.current();
      if (debt?.purpose !== 'rolled-back' || version === debt.version || at < debt.askedAt) return;
      journal.info(`the channel does not offer ${debt.version} any more: the reboot lock is let go`);
      await pause();
      await memo.save({...debt, purpose: 'restart'});
      begin();
    },
  };
}

/**
 * Whether the machine may restart now, and if not, why. A restart is a conjunction of gates (gate.ts): each is asked in
 * turn, those that cost others something last, and the first that is not open is the answer. What was taken on the way
 * is given back when a gate before it closes, or when the restart is not wanted any more.
 *
 * Rejected: a program of its own that watches the engine, as the lineage had. Two programs would have to agree on what
 * the slot is worth before the lock may go, which is what the lineage got wrong.
 */
import {LockError, type RebootLock} from '../../coordination/lock.ts';
import type {Journal} from '../../platform/journal.ts';
import type {Clock} from '../clock.ts';
import type {RebootDebt} from '../state/documents.ts';
import {type Aftermath, type HooksOutcome, createAftermath} from './aftermath.ts';
import {GATE_NAMES, type Gate, type GateAnswer, type GateName, type RebootPlan} from './gate.ts';
import {createLockGate} from './lock-gate.ts';
import type {Memo} from './memo.ts';
import {type LockKind, type Strategy, askStrategy, lockKindOf} from './strategy.ts';

export type RebootAnswer =
  {readonly kind: 'go'} | {readonly kind: 'wait'; readonly reason: string; readonly againMs: number};

/** What a gate last said, and since when it says so (milliseconds since 1970). */
export interface GateView {
  readonly name: GateName;
  readonly answer: GateAnswer['kind'];
  readonly detail: string;
  readonly since: number;
}

/** The lock, the gates and the hooks of a host. */
export interface RebootDoors {
  readonly openLock: (kind: LockKind) => Promise<RebootLock>;
  /** The gates that are not about the lock. `sessions` with `blocksForever` is asked before the lock, too. */
  readonly gates: {
    readonly window: Gate;
    readonly inhibitors: Gate;
    readonly sessions: Gate & {readonly blocksForever: () => boolean; calledOff(): Promise<void>};
    readonly hooks: Gate;
  };
  readonly runPostGood: (debt: RebootDebt, signal: AbortSignal) => Promise<HooksOutcome>;
}

export interface CoordinatorParts extends RebootDoors {
  readonly offer: Gate;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: Journal;
  readonly memo: Memo;
  readonly strategy: () => Strategy;
  readonly touch: () => void;
}

export interface Coordinator {
  /** `onlyLock`: an operator has decided about everything that concerns this host alone. */
  ask(plan: RebootPlan, signal: AbortSignal, onlyLock: boolean): Promise<RebootAnswer>;
  readonly aftermath: Aftermath;
  /** No restart is wanted and the running system is good: gives back what is owed. */
  rest(): void;
  readonly wantedSince: number | null;
  readonly attempts: number;
  /** Of the windows alone, whether a restart is wanted or not. */
  window(): Promise<GateAnswer>;
  /** In the order of asking; a gate that was not asked is not there. */
  view(): readonly GateView[];
  stop(): Promise<void>;
}

export function createCoordinator(parts: CoordinatorParts): Coordinator {
  const {clock, random, journal, memo, gates, touch} = parts;
  const lockGate = createLockGate({memo, now: () => clock.now(), random, openLock: parts.openLock});
  const aftermath = createAftermath({...parts, runHooks: parts.runPostGood});
  let wantedSince: number | null = null;
  let seen: ReadonlyMap<GateName, GateView> = new Map();

  function note(name: GateName, {kind, detail}: GateAnswer): void {
    const before = seen.get(name);
    const since = before?.answer === kind ? before.since : clock.now();
    if (before?.answer === kind && before.detail === detail) return;
    if (before?.answer !== kind) journal.info(`reboot: ${name} ${kind}: ${detail}`);
    seen = new Map([...seen, [name, {name, answer: kind, detail, since}]]);
    touch();
  }

  async function askOne(name: GateName, plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer> {
    const strategy = parts.strategy();
    const answer = await answerOf(name, strategy, plan, signal);
    signal.throwIfAborted();
    note(name, answer);
    return answer;
  }

  async function answerOf(
    name: GateName,
    strategy: Strategy,
    plan: RebootPlan,
    signal: AbortSignal,
  ): Promise<GateAnswer> {
    if (name === 'strategy') return askStrategy(strategy, plan);
    if (name === 'hooks') return askHooks(plan, signal);
    if (name === 'offer') return parts.offer.ask(plan, signal);
    if (name !== 'lock') return gates[name].ask(plan, signal);
    const kind = lockKindOf(strategy);
    if (kind === null)
      return {kind: 'open', detail: `no lock with REBOOT_STRATEGY=${strategy.name}`, againMs: null};
    const owed = memo.current()?.lock ?? 'none';
    if (owed !== 'none' && owed !== kind) {
      await aftermath.tryOnce(signal);
      const detail = `${owed}, the strategy before, is not given back: ${aftermath.reason ?? 'unknown'}`;
      if (memo.current() !== null) return {kind: 'unknown', detail, againMs: ASK_AGAIN_MS};
    }
    return lockGate.ask(kind, plan, signal);
  }

  /**
   * That they ran is on the disk before they do: a host that loses its power meanwhile still puts itself to work. Without
   * any as well, because there may be post-good ones alone.
   */
  async function askHooks(plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer> {
    const {version, previousVersion} = plan;
    const none: RebootDebt = {
      ...{lock: 'none', purpose: 'restart', version, previousVersion, reason: '', hooksRan: true},
      ...{askedAt: clock.now(), heldSince: null},
    };
    await memo.save({...(memo.current() ?? none), hooksRan: true});
    return gates.hooks.ask(plan, signal);
  }

  return {
    aftermath,
    get wantedSince() {
      return wantedSince;
    },
    get attempts() {
      return lockGate.attempts;
    },
    window: () => gates.window.ask(NOTHING_PLANNED, NEVER),
    view: () => GATE_NAMES.flatMap((name) => seen.get(name) ?? []),

    async ask(plan, signal, onlyLock) {
      await aftermath.pause();
      wantedSince ??= clock.now();
      const own: readonly GateName[] = onlyLock ? [] : ['strategy', 'window', 'inhibitors'];
      const early: readonly GateName[] =
        gates.sessions.blocksForever() && !onlyLock ? [...own, 'sessions'] : own;
      const taken: readonly GateName[] = onlyLock ? ['lock'] : ['lock', 'offer', 'sessions', 'hooks'];
      const again: readonly GateName[] = onlyLock ? [] : ['window', 'inhibitors'];
      for (const [index, name] of [...early, ...taken, ...again].entries()) {
        const answer = await askOne(name, plan, signal);
        if (answer.kind === 'open') continue;
        const isLate = index >= early.length && index < early.length + taken.length;
        // Others wait for what this host cannot use now. A gate of the host's own that fails late keeps the lock: it
        // has begun to leave its work, and the next one doing the same is what the lock is there to prevent.
        if (!isLate) await aftermath.tryOnce(signal);
        if (!isLate && name !== 'sessions') await gates.sessions.calledOff();
        return {kind: 'wait', reason: answer.detail, againMs: answer.againMs ?? ASK_AGAIN_MS};
      }
      return {kind: 'go'};
    },

    rest() {
      if (wantedSince !== null) {
        wantedSince = null;
        seen = new Map();
        lockGate.forget();
        gates.sessions.calledOff().catch((error: unknown) => journal.warn(messageOf(error)));
      }
      aftermath.begin();
    },
    stop: () => aftermath.pause(),
  };
}

const ASK_AGAIN_MS = 60_000;
const NOTHING_PLANNED: RebootPlan = {kind: 'requested', version: '', previousVersion: ''};
const NEVER = new AbortController().signal;

function messageOf(error: unknown): string {
  return error instanceof LockError || error instanceof Error ? error.message : String(error);
}

/**
 * The rollout of one group: who is granted what, and when it stops. It knows no clock, no database and no protocol;
 * times come in, changed members are handed out to whoever keeps them. The release server and `caisson rehearse` run
 * this same code.
 *
 * What holds, whatever machines do: nothing is granted while as many are in flight as may be, nor while the group is
 * stopped; a machine is granted something only when every present machine that is before it in the order has had its
 * turn or finds room as well. Events that come late, after a grant was taken back, may bring more into flight than may
 * be; then nothing is granted until there is room.
 */
import {type Opening, openingAt} from '../../formats/reboot-window/opening.ts';
import {NO_OUTCOMES, type Outcomes, reasonToHalt} from './halt.ts';
import {
  type Happening,
  type Member,
  type Self,
  expired,
  granted,
  heard,
  isSameButSeen,
  lost,
  retargeted,
  retried,
  seen,
} from './member.ts';
import type {RolloutPolicy} from './policy.ts';
import {type ProgressName, type Standing, createTally, memberOf} from './tally.ts';
import {type Target, type Way, wayOf} from './target.ts';
import type {Hold, HoldReason, Verdict} from './verdict.ts';

export interface Stop {
  readonly kind: 'paused' | 'halted';
  readonly at: number;
  readonly reason: string;
}

/** What of a rollout must survive, beside its members. */
export interface RolloutState {
  readonly target: Target | null;
  readonly startedAt: number;
  /** Null while it goes on. */
  readonly stopped: Stop | null;
  /** Outcomes that a person has seen and let pass. */
  readonly seen: Outcomes;
  /** How often the pace has let more in, after the first time. */
  readonly step: number;
  readonly stepAt: number;
  /** Since when enough canaries are good; null: they are not. */
  readonly canariesGoodAt: number | null;
}

export interface Asking {
  readonly id: string;
  readonly version: string;
  /** Empty, or the beginning of the only versions that the machine takes. */
  readonly prefix: string;
}

export interface Summary {
  readonly state: RolloutState;
  readonly counts: Readonly<Record<ProgressName, number>>;
  /** How many machines run each version. */
  readonly versions: Readonly<Record<string, number>>;
  readonly inFlight: number;
  readonly outcomes: Outcomes;
  /** Ever granted the target, canaries left out. */
  readonly entered: number;
  /** Canaries too. */
  readonly granted: number;
}

export interface Ledger {
  /** A machine asks what to install, and is told. */
  ask(asking: Asking, now: number): Verdict;
  /** A machine tells what happened to it. It is seen by that as well. */
  hear(host: {readonly id: string; readonly version: string}, happening: Happening, now: number): void;
  /** A sign of life, and what the machine runs. */
  see(host: {readonly id: string; readonly version: string}, now: number): void;
  /** Time goes by: grants expire, machines count as lost, the next share begins. Everything else does it as well. */
  advance(now: number): void;
  /** The group is headed elsewhere, and begins anew; a stop stays. The same target again changes nothing. */
  setTarget(target: Target | null, now: number): void;
  /** A person stops the group. */
  pause(reason: string, now: number): void;
  /** A person lets it go on: what went wrong so far has been seen. */
  resume(now: number): void;
  /** A person lets machines try again that were given up. */
  retry(now: number): number;
  /** The machine follows another group now; what became of it here does not count any more. */
  forget(id: string): void;
  member(id: string): Member | undefined;
  members(): Iterable<Member>;
  standing(id: string): Standing;
  summary(): Summary;
  state(): RolloutState;
  /** Members that changed since it was last asked; not those that were only seen. */
  takeChanged(): readonly Member[];
  /** Members that were only seen since they were taken last: at most so many, those that wait longest first. */
  takeSeen(limit: number): readonly Member[];
}

export interface LedgerOptions {
  readonly policy: RolloutPolicy;
  readonly state: RolloutState;
  readonly members: Iterable<Member>;
}

export function beginRollout(target: Target | null, at: number): RolloutState {
  return {
    target,
    startedAt: at,
    stopped: null,
    seen: NO_OUTCOMES,
    step: 0,
    stepAt: at,
    canariesGoodAt: null,
  };
}

const DAY_MS = 86_400_000;

export function openLedger({policy, state: initial, members}: LedgerOptions): Ledger {
  const tally = createTally(policy);
  const changed = new Map<string, Member>();
  const sighted = new Set<string>();
  let state = initial;
  let opening: {readonly from: number; readonly until: number; readonly value: Opening} | null = null;
  /** Whether the pace was on when it was last looked at. */
  let isPacing = false;
  for (const member of members) tally.put(member);

  function put(member: Member): void {
    const {id} = member;
    const before = tally.get(id);
    tally.put(member);
    if (before !== undefined && !changed.has(id) && isSameButSeen(before, member)) sighted.add(id);
    else {
      changed.set(id, member);
      sighted.delete(id);
    }
  }

  function wayFor({version, prefix}: Self): Way {
    return wayOf(version, prefix, state.target, policy.steppingStones);
  }

  function openingNow(now: number): Opening {
    if (opening === null || now < opening.from || now > opening.until) {
      const value = openingAt(policy.windows, 'UTC', now);
      const until = value.kind === 'open' ? (value.until ?? now + DAY_MS) : value.opensAt - 1;
      opening = {from: now, until, value};
    }
    return opening.value;
  }

  function advance(now: number): void {
    for (const member of tally.grantedBefore(now - policy.grantLastsMs))
      put(expired(member, policy.attempts, now));
    for (const member of tally.silentSince(now - policy.lostAfterMs)) put(lost(member, now));
    tally.dropAbsent(now - policy.absentAfterMs);
    judgeOutcomes(now);
    watchCanaries(now);
    takeSteps(now);
  }

  function judgeOutcomes(now: number): void {
    if (state.stopped !== null) return;
    const reason = reasonToHalt(tally.outcomes(), state.seen, policy.halt);
    if (reason !== null) state = {...state, stopped: {kind: 'halted', at: now, reason}};
  }

  function watchCanaries(now: number): void {
    if (policy.canary === null) return;
    const areGood = tally.goodCanaries() >= policy.canary.good;
    if (areGood === (state.canariesGoodAt !== null)) return;
    state = {...state, canariesGoodAt: areGood ? now : null};
  }

  /** Null when nobody need wait for canaries; else since when they are good. */
  function canaryWait(now: number): {readonly until: number | null} | null {
    const {canary} = policy;
    if (canary === null) return null;
    if (state.canariesGoodAt === null) return {until: null};
    const until = state.canariesGoodAt + canary.soakMs;
    return until > now ? {until} : null;
  }

  /** While nothing may be granted the pace rests: at most one step is due afterwards, and no crowd rushes out. */
  function takeSteps(now: number): void {
    const {pace} = policy;
    if (pace.kind === 'all') return;
    const lastOpening = opening;
    const isHeld = state.stopped !== null || canaryWait(now) !== null || openingNow(now).kind === 'closed';
    // Between two looks it may have closed and opened again.
    const isInterrupted = !isPacing || lastOpening !== opening;
    isPacing = !isHeld;
    if (isHeld) {
      // The first share has its whole time from when it may begin.
      if (state.step === 0 && tally.entered() === 0) state = {...state, stepAt: now};
      return;
    }
    const from = isInterrupted ? Math.max(state.stepAt, now - pace.everyMs) : state.stepAt;
    const steps = Math.max(0, Math.floor((now - from) / pace.everyMs));
    if (steps === 0 && from === state.stepAt) return;
    state = {...state, step: state.step + steps, stepAt: from + steps * pace.everyMs};
  }

  /** How many of the line may go on now, before the order is asked. */
  function roomFor(member: Member): number {
    const {maxInFlight, pace} = policy;
    const free = maxInFlight === null ? Infinity : maxInFlight - tally.inFlight();
    const {isCanary} = tally.standing(member.id);
    if (pace.kind !== 'count' || isCanary || member.hasEntered) return free;
    return Math.min(free, pace.count * (state.step + 1) - tally.entered());
  }

  function hold(
    member: Member,
    version: string,
    reason: HoldReason,
    detail: string,
    earliestAt: number | null = null,
  ): Hold {
    const isInLine = member.progress.kind === 'waiting';
    const position = isInLine ? tally.waiting.rank(tally.keyOf(member)) + 1 : null;
    return {kind: 'hold', version, reason, position, earliestAt, detail};
  }

  function judge(member: Member, version: string, now: number): Verdict {
    const {progress, id} = member;
    const {stopped} = state;
    if (stopped !== null)
      return hold(member, version, stopped.kind, `the rollout is ${stopped.kind}: ${stopped.reason}`);
    // Also to one that has it installed and only wants to know: there is nothing else for it.
    if (progress.kind === 'in-flight')
      return progress.version === version ? {kind: 'grant', version, isNew: false} : {kind: 'nothing'};
    if (progress.kind === 'out') {
      const why =
        progress.why === 'rolled-back'
          ? 'this machine came back from it'
          : `it was tried ${member.setbacks} times on this machine`;
      return hold(member, version, 'out', why);
    }
    const open = openingNow(now);
    if (open.kind === 'closed')
      return hold(member, version, 'window', `outside of ${open.window.text}`, open.opensAt);
    const {place, isCanary} = tally.standing(id);
    if (!isCanary) {
      const wait = canaryWait(now);
      if (wait !== null) {
        const good = `${tally.goodCanaries()} of ${policy.canary?.good ?? 0} canaries are good`;
        return hold(member, version, 'canary', good, wait.until);
      }
      const {pace} = policy;
      if (pace.kind === 'share' && !member.hasEntered) {
        const due = Math.floor(place / pace.share);
        if (due > state.step)
          return hold(
            member,
            version,
            'pace',
            'its turn has not come',
            state.stepAt + (due - state.step) * pace.everyMs,
          );
      }
    }
    const rank = tally.waiting.rank(tally.keyOf(member));
    const room = roomFor(member);
    if (rank < room) return {kind: 'grant', version, isNew: true};
    return holdInLine(member, version, rank);
  }

  function holdInLine(member: Member, version: string, rank: number): Hold {
    const {maxInFlight, pace} = policy;
    if (maxInFlight !== null && rank >= maxInFlight - tally.inFlight())
      return hold(
        member,
        version,
        'in-flight',
        `${tally.inFlight()} machines are under way, of ${maxInFlight} that may be, and others come first`,
      );
    // Not counting those before it that never ask: with them it can only be earlier.
    const due = pace.kind === 'count' ? Math.floor((tally.entered() + rank) / pace.count) : state.step + 1;
    const everyMs = pace.kind === 'count' ? pace.everyMs : 0;
    const earliestAt = state.stepAt + Math.max(0, due - state.step) * everyMs;
    return hold(member, version, 'pace', 'its turn has not come', earliestAt);
  }

  function noteSelf(member: Member, self: Self, now: number): void {
    put(seen(member, self, wayFor(self), policy.attempts, now));
    advance(now);
  }

  return {
    ask({id, version, prefix}, now) {
      noteSelf(memberOf(tally, id, version, now), {version, prefix}, now);
      const member = memberOf(tally, id, version, now);
      const way = wayFor(member);
      if (way.kind !== 'to') return {kind: 'nothing'};
      const verdict = judge(member, way.version, now);
      if (verdict.kind === 'grant' && verdict.isNew) put(granted(member, verdict.version, now));
      return verdict;
    },
    hear({id, version}, happening, now) {
      const member = memberOf(tally, id, version, now);
      noteSelf(heard(member, happening, policy.attempts, now), {version, prefix: member.prefix}, now);
    },
    see({id, version}, now) {
      const member = memberOf(tally, id, version, now);
      noteSelf(member, {version, prefix: member.prefix}, now);
    },
    advance,
    setTarget(target, now) {
      const {stopped, target: old} = state;
      if (old?.version === target?.version && old?.allowDowngrade === target?.allowDowngrade) return;
      state = {...beginRollout(target, now), stopped};
      isPacing = false;
      for (const member of [...tally.members()]) put(retargeted(member, wayFor(member), now));
      advance(now);
    },
    pause(reason, now) {
      if (state.stopped === null) state = {...state, stopped: {kind: 'paused', at: now, reason}};
    },
    resume(now) {
      state = {...state, stopped: null, seen: tally.outcomes()};
      advance(now);
    },
    retry(now) {
      const out = [...tally.members()].filter(({progress}) => progress.kind === 'out');
      for (const member of out) put(retried(member, wayFor(member), now));
      return out.length;
    },
    forget(id) {
      tally.delete(id);
      changed.delete(id);
      sighted.delete(id);
    },
    member: (id) => tally.get(id),
    members: () => tally.members(),
    standing: (id) => tally.standing(id),
    state: () => state,
    summary: () => ({
      state,
      counts: tally.counts(),
      versions: tally.versions(),
      inFlight: tally.inFlight(),
      outcomes: tally.outcomes(),
      entered: tally.entered(),
      granted: tally.granted(),
    }),
    takeChanged() {
      const taken = [...changed.values()];
      changed.clear();
      return taken;
    },
    takeSeen(limit) {
      const taken: Member[] = [];
      for (const id of sighted) {
        if (taken.length >= limit) break;
        sighted.delete(id);
        const member = tally.get(id);
        if (member !== undefined) taken.push(member);
      }
      return taken;
    },
  };
}

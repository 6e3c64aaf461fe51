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
import {type Outcomes, reasonToHalt} from './halt.ts';
import {judge} from './judge.ts';
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
import {createPacing} from './pacing.ts';
import type {RolloutPolicy} from './policy.ts';
import {type RolloutState, beginRollout} from './state.ts';
import {type ProgressName, type Standing, createTally, memberOf} from './tally.ts';
import {type Target, type Way, wayOf} from './target.ts';
import type {Verdict} from './verdict.ts';

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

export function openLedger({policy, state: initial, members}: LedgerOptions): Ledger {
  const tally = createTally(policy);
  const changed = new Map<string, Member>();
  const sighted = new Set<string>();
  const pacing = createPacing(policy, tally);
  let state = initial;
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

  function advance(now: number): void {
    for (const member of tally.grantedBefore(now - policy.grantLastsMs))
      put(expired(member, policy.attempts, now));
    for (const member of tally.silentSince(now - policy.lostAfterMs)) put(lost(member, now));
    tally.dropAbsent(now - policy.absentAfterMs);
    judgeOutcomes(now);
    state = pacing.takeSteps(pacing.watchCanaries(state, now), now);
  }

  function judgeOutcomes(now: number): void {
    if (state.stopped !== null) return;
    const reason = reasonToHalt(tally.outcomes(), state.seen, policy.halt);
    if (reason !== null) state = {...state, stopped: {kind: 'halted', at: now, reason}};
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
      const verdict = judge(member, way.version, {policy, state, tally, pacing, now});
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
      pacing.rest();
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

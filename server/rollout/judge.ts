/** What a machine that wants a version is told: that it may, or what it waits for; pure. */
import type {Member} from './member.ts';
import type {Pacing} from './pacing.ts';
import type {RolloutPolicy} from './policy.ts';
import type {RolloutState} from './state.ts';
import type {Tally} from './tally.ts';
import type {Hold, HoldReason, Verdict} from './verdict.ts';

/** A rollout at a moment. */
export interface Circumstances {
  readonly policy: RolloutPolicy;
  readonly state: RolloutState;
  readonly tally: Tally;
  readonly pacing: Pacing;
  readonly now: number;
}

/** `version`: the target, or what lies on the way there. */
export function judge(member: Member, version: string, circumstances: Circumstances): Verdict {
  const {state, tally} = circumstances;
  const {progress} = member;
  const hold = (reason: HoldReason, detail: string, earliestAt: number | null = null): Hold => ({
    ...{kind: 'hold', version, reason, earliestAt, detail},
    position: progress.kind === 'waiting' ? rankOf(member, tally) + 1 : null,
  });
  if (state.stopped !== null)
    return hold(state.stopped.kind, `the rollout is ${state.stopped.kind}: ${state.stopped.reason}`);
  // Also to one that has it installed and only wants to know: there is nothing else for it.
  if (progress.kind === 'in-flight')
    return progress.version === version ? {kind: 'grant', version, isNew: false} : {kind: 'nothing'};
  if (progress.kind === 'out') {
    const isBack = progress.why === 'rolled-back';
    return hold(
      'out',
      isBack ? 'this machine came back from it' : `it was tried ${member.setbacks} times on this machine`,
    );
  }
  const wait = untilItsTurn(member, circumstances) ?? untilThereIsRoom(member, circumstances);
  return wait === null
    ? {kind: 'grant', version, isNew: true}
    : hold(wait.reason, wait.detail, wait.earliestAt);
}

type Wait = Pick<Hold, 'reason' | 'detail' | 'earliestAt'>;

const NOT_YET = {reason: 'pace', detail: 'its turn has not come'} as const;

/** Whatever others do. */
function untilItsTurn(member: Member, {policy, state, tally, pacing, now}: Circumstances): Wait | null {
  const opening = pacing.opening(now);
  if (opening.kind === 'closed')
    return {reason: 'window', detail: `outside of ${opening.window.text}`, earliestAt: opening.opensAt};
  const {place, isCanary} = tally.standing(member.id);
  if (isCanary) return null;
  const wait = pacing.canaryWait(state, now);
  if (wait !== null) {
    const detail = `${tally.goodCanaries()} of ${policy.canary?.good ?? 0} canaries are good`;
    return {reason: 'canary', detail, earliestAt: wait.until};
  }
  const {pace} = policy;
  if (pace.kind !== 'share' || member.hasEntered) return null;
  const due = Math.floor(place / pace.share);
  if (due <= state.step) return null;
  return {...NOT_YET, earliestAt: state.stepAt + (due - state.step) * pace.everyMs};
}

/** Those before it in the line first. */
function untilThereIsRoom(member: Member, circumstances: Circumstances): Wait | null {
  const {policy, state, tally} = circumstances;
  const {maxInFlight, pace} = policy;
  const rank = rankOf(member, tally);
  if (rank < roomFor(member, circumstances)) return null;
  if (maxInFlight !== null && rank >= maxInFlight - tally.inFlight()) {
    const detail = `${tally.inFlight()} machines are under way, of ${maxInFlight} that may be, and others come first`;
    return {reason: 'in-flight', detail, earliestAt: null};
  }
  // Not counting those before it that never ask: with them it can only be earlier.
  const due = pace.kind === 'count' ? Math.floor((tally.entered() + rank) / pace.count) : state.step + 1;
  const everyMs = pace.kind === 'count' ? pace.everyMs : 0;
  return {...NOT_YET, earliestAt: state.stepAt + Math.max(0, due - state.step) * everyMs};
}

/** How many of the line may go on now, before the order is asked. */
function roomFor(member: Member, {policy, state, tally}: Circumstances): number {
  const {maxInFlight, pace} = policy;
  const free = maxInFlight === null ? Infinity : maxInFlight - tally.inFlight();
  const {isCanary} = tally.standing(member.id);
  if (pace.kind !== 'count' || isCanary || member.hasEntered) return free;
  return Math.min(free, pace.count * (state.step + 1) - tally.entered());
}

/** How many come before it. */
function rankOf(member: Member, tally: Tally): number {
  return tally.waiting.rank(tally.keyOf(member));
}

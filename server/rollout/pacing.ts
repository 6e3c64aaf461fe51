/**
 * How fast a rollout goes: its windows, its canaries and its steps. Each function that moves it gives the state that
 * follows.
 */
import {type Opening, openingAt} from '../../formats/reboot-window/opening.ts';
import type {RolloutPolicy} from './policy.ts';
import type {RolloutState} from './state.ts';
import type {Tally} from './tally.ts';

export interface Pacing {
  /** Of the windows of the policy. */
  opening(now: number): Opening;
  /** Null when nobody need wait for canaries; else until when, as far as that can be foreseen. */
  canaryWait(state: RolloutState, now: number): {readonly until: number | null} | null;
  watchCanaries(state: RolloutState, now: number): RolloutState;
  /** While nothing may be granted the pace rests: at most one step is due afterwards, and no crowd rushes out. */
  takeSteps(state: RolloutState, now: number): RolloutState;
  /** The next step counts from its own beginning. */
  rest(): void;
}

const DAY_MS = 86_400_000;

export function createPacing(
  {windows, canary, pace}: Pick<RolloutPolicy, 'windows' | 'canary' | 'pace'>,
  tally: Pick<Tally, 'goodCanaries' | 'entered'>,
): Pacing {
  let known: {readonly from: number; readonly until: number; readonly value: Opening} | null = null;
  /** Whether the pace was on when it was last looked at. */
  let isOn = false;

  function opening(now: number): Opening {
    if (known === null || now < known.from || now > known.until) {
      const value = openingAt(windows, 'UTC', now);
      const until = value.kind === 'open' ? (value.until ?? now + DAY_MS) : value.opensAt - 1;
      known = {from: now, until, value};
    }
    return known.value;
  }

  function canaryWait(state: RolloutState, now: number): {readonly until: number | null} | null {
    if (canary === null) return null;
    if (state.canariesGoodAt === null) return {until: null};
    const until = state.canariesGoodAt + canary.soakMs;
    return until > now ? {until} : null;
  }

  return {
    opening,
    canaryWait,
    watchCanaries(state, now) {
      if (canary === null) return state;
      const areGood = tally.goodCanaries() >= canary.good;
      if (areGood === (state.canariesGoodAt !== null)) return state;
      return {...state, canariesGoodAt: areGood ? now : null};
    },
    takeSteps(state, now) {
      if (pace.kind === 'all') return state;
      const lastKnown = known;
      const isHeld =
        state.stopped !== null || canaryWait(state, now) !== null || opening(now).kind === 'closed';
      // Between two looks it may have closed and opened again.
      const isInterrupted = !isOn || lastKnown !== known;
      isOn = !isHeld;
      // The first share has its whole time from when it may begin.
      if (isHeld) return state.step === 0 && tally.entered() === 0 ? {...state, stepAt: now} : state;
      const from = isInterrupted ? Math.max(state.stepAt, now - pace.everyMs) : state.stepAt;
      const steps = Math.max(0, Math.floor((now - from) / pace.everyMs));
      if (steps === 0 && from === state.stepAt) return state;
      return {...state, step: state.step + steps, stepAt: from + steps * pace.everyMs};
    },
    rest: () => void (isOn = false),
  };
}

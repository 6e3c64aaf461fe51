/** What of a rollout must survive, beside its members. */
import {NO_OUTCOMES, type Outcomes} from './halt.ts';
import type {Target} from './target.ts';

export interface Stop {
  readonly kind: 'paused' | 'halted';
  readonly at: number;
  readonly reason: string;
}

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

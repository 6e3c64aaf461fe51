/** What a machine that asks is told. */

export type HoldReason =
  /** A person stopped the group. */
  | 'paused'
  /** The group stopped by itself. */
  | 'halted'
  /** This machine came back from the release, or came to nothing with it too often. */
  | 'out'
  | 'window'
  /** Others are to show first that the release is good. */
  | 'canary'
  /** Its share of the machines has not begun. */
  | 'pace'
  /** As many as may be are under way, or others come first. */
  | 'in-flight';

export interface Hold {
  readonly kind: 'hold';
  /** What it is waiting for. */
  readonly version: string;
  readonly reason: HoldReason;
  /** Among those that wait: 1 is next. Null when the machine does not wait any more. */
  readonly position: number | null;
  /** Not before that; null when it depends on what cannot be foreseen. */
  readonly earliestAt: number | null;
  /** A sentence. */
  readonly detail: string;
}

export type Verdict =
  | {readonly kind: 'nothing'}
  /** `isNew`: the grant was given now. */
  | {readonly kind: 'grant'; readonly version: string; readonly isNew: boolean}
  | Hold;

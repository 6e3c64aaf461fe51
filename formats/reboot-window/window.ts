/**
 * When a host may restart, as an operator says it: on these days, at this time of the clock on the wall, for so long.
 */

/** In the order of JavaScript, Go and cron: 0 is Sunday. */
export const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
/** 0 to 6. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export interface RebootWindow {
  /** As it was written, for people. */
  readonly text: string;
  /** On which it starts; all seven for a daily one. Sorted, each once, at least one. */
  readonly days: readonly Weekday[];
  readonly hour: number;
  readonly minute: number;
  /** Elapsed time from its start, whatever clocks are changed meanwhile. */
  readonly lengthMs: number;
  /** A name of the IANA database; null for the zone of the host. */
  readonly zone: string | null;
}

/**
 * Whether a host may restart at an instant, as far as its windows go: open until when, or closed until when.
 *
 * A window begins when the clocks of its zone come to show its start, and lasts for its length as time passes, so a
 * change of clocks within makes it neither longer nor shorter. A start that clocks jump over counts at the jump; of a
 * start that they show twice the first counts. The end belongs to the window, as with locksmith.
 *
 * Rejected: adding up fields of local time. Every such sum is wrong in two nights of the year.
 */
import {type DayNumber, dayOf, instantOf, wallTime, weekdayOf} from './zone.ts';
import {type RebootWindow, WEEKDAYS} from './window.ts';

export type Opening =
  /** `window` is the one that keeps it open, null without any; `until` is null when no end is in sight. */
  | {readonly kind: 'open'; readonly window: RebootWindow | null; readonly until: number | null}
  | {readonly kind: 'closed'; readonly window: RebootWindow; readonly opensAt: number};

interface Occurrence {
  readonly window: RebootWindow;
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

const MINUTE_MS = 60_000;
/** An occurrence that is still open began less than 7 days ago; one more for the difference between zones. */
const DAYS_BACK = 8;
/** Every window begins once in 7 days; the second week is for windows that follow on one another. */
const DAYS_AHEAD = 15;

/**
 * At `instant` (milliseconds since 1970), of windows of which any may be open; without any it is always open. Windows
 * that do not name a zone are in `hostZone`. Throws RebootWindowError for an unknown zone.
 */
export function openingAt(windows: readonly RebootWindow[], hostZone: string, instant: number): Opening {
  if (windows.length === 0) return {kind: 'open', window: null, until: null};
  const occurrences = windows
    .flatMap((window) => occurrencesAround(window, window.zone ?? hostZone, instant))
    .sort((a, b) => a.start - b.start);
  const [now] = occurrences
    .filter(({start, end}) => start <= instant && instant <= end)
    .sort((a, b) => b.end - a.end);
  if (now !== undefined) return {kind: 'open', window: now.window, until: endOf(now, occurrences)};
  const next = occurrences.find(({start}) => start > instant);
  // Each has at least one day in the week, and two weeks were looked at.
  if (next === undefined) throw new RangeError('a window without a beginning in two weeks');
  return {kind: 'closed', window: next.window, opensAt: next.start};
}

/** `Mon 02:00 (Europe/Berlin)`, with the date when it is nearly a week away from `now` or more. */
export function formatInstant(instant: number, zone: string, now: number): string {
  const wall = wallTime(instant, zone);
  const iso = new Date(wall).toISOString();
  const weekday = WEEKDAYS[weekdayOf(dayOf(wall))];
  const isNear = Math.abs(instant - now) < 6 * 24 * 60 * MINUTE_MS;
  return `${weekday}${isNear ? '' : ` ${iso.slice(0, 10)}`} ${iso.slice(11, 16)} (${zone})`;
}

function occurrencesAround(window: RebootWindow, zone: string, instant: number): readonly Occurrence[] {
  const today = dayOf(wallTime(instant, zone));
  const found: Occurrence[] = [];
  for (let day: DayNumber = today - DAYS_BACK; day <= today + DAYS_AHEAD; day += 1) {
    if (!window.days.includes(weekdayOf(day))) continue;
    const start = instantOf(day, window.hour, window.minute, zone);
    // The engine must get a chance to look while it is open: locksmith slept until the start and then went.
    found.push({window, start, end: start + Math.max(window.lengthMs, MINUTE_MS)});
  }
  return found;
}

/** Of all that follow on one another without a gap; `sorted` by start. */
function endOf(first: Occurrence, sorted: readonly Occurrence[]): number | null {
  let {end} = first;
  for (const each of sorted)
    if (each.start >= first.start && each.start <= end) end = Math.max(end, each.end);
  const last = Math.max(...sorted.map(({start}) => start));
  return end >= last ? null : end;
}

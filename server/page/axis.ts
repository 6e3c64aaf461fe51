/** Round numbers and round times for the axes of charts; pure. */

/** From 0 to at least `max`, in so many steps at most, each a 1, 2 or 5 with noughts and never a part of a machine. */
export function countTicks(max: number, steps: number): readonly number[] {
  const rough = Math.max(1, max / steps);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  return Array.from({length: Math.max(1, Math.ceil(max / step)) + 1}, (_, index) => index * step);
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TIME_STEPS_MS: readonly number[] = [
  ...[1, 5, 10, 30].map((each) => each * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR_MS),
  ...[1, 2, 7, 14, 28].map((each) => each * DAY_MS),
];

export interface TimeTick {
  readonly at: number;
  readonly label: string;
}

/** Within [from, until], in UTC; the day where it begins or where steps are days, else the time of day. */
export function timeTicks(from: number, until: number, most: number): readonly TimeTick[] {
  const step = TIME_STEPS_MS.find((each) => (until - from) / each <= most) ?? 28 * DAY_MS;
  const ticks: TimeTick[] = [];
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) {
    const iso = new Date(at).toISOString();
    ticks.push({at, label: at % DAY_MS === 0 ? dayOf(iso) : iso.slice(11, 16)});
  }
  return ticks;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function dayOf(iso: string): string {
  return `${Number(iso.slice(8, 10))} ${MONTHS[Number(iso.slice(5, 7)) - 1] ?? ''}`;
}

/**
 * Time zones: from an instant to the clock on the wall, and from the clock to instants, by the rules that Intl has
 * (ICU's copy of the IANA database; a host needs no other).
 *
 * Rejected: reading /usr/share/zoneinfo. It would be a second source with a parser of its own, and the one in Node is
 * there on every host that runs the engine.
 */
import {RebootWindowError} from './error.ts';
import type {Weekday} from './window.ts';

/** A calendar day without a zone, counted from 1970-01-01. */
export type DayNumber = number;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Zones lie between 12 hours behind and 14 hours ahead of UTC. */
const MAX_OFFSET_MS = 15 * 60 * MINUTE_MS;
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,3}$/;
const MAX_NAME_CHARACTERS = 64;

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Whether it is the name of a zone that this program has rules for. Abbreviations such as CEST are none. */
export function isZone(name: string): boolean {
  if (name.length > MAX_NAME_CHARACTERS || !NAME.test(name)) return false;
  try {
    formatterOf(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * How far the clocks of a zone are ahead of UTC at an instant; milliseconds. Instants are milliseconds since 1970.
 * Throws RebootWindowError for an unknown zone.
 */
export function offsetAt(instant: number, zone: string): number {
  return wallTime(instant, zone) - Math.floor(instant / 1000) * 1000;
}

/** What clocks show, as the milliseconds that UTC would have when its clocks show that. Whole seconds. */
export function wallTime(instant: number, zone: string): number {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const {type, value} of formatterOf(zone).formatToParts(instant)) parts[type] = Number(value);
  const {year = 0, month = 1, day = 0, hour = 0, minute = 0, second = 0} = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

export function dayOf(wall: number): DayNumber {
  return Math.floor(wall / DAY_MS);
}

/** 1970-01-01 was a Thursday. */
export function weekdayOf(day: DayNumber): Weekday {
  return ((((day + 4) % 7) + 7) % 7) as Weekday;
}

/**
 * The instant at which clocks come to show a time on a day. When they show it twice it is the first time; when they
 * jump over it, the moment of the jump.
 */
export function instantOf(day: DayNumber, hour: number, minute: number, zone: string): number {
  const wall = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS;
  // Between the two lies every instant at which clocks could show this. The offset changes at most once there: weeks
  // lie between changes, even where they go by the moon.
  const before = offsetAt(wall - MAX_OFFSET_MS, zone);
  const after = offsetAt(wall + MAX_OFFSET_MS, zone);
  const candidates = [wall - before, wall - after].filter((each) => wallTime(each, zone) === wall);
  if (candidates.length > 0) return Math.min(...candidates);
  return changeBetween(wall - MAX_OFFSET_MS, wall + MAX_OFFSET_MS, zone);
}

/** The instant at which the offset of the second comes into force, to the second. */
function changeBetween(from: number, to: number, zone: string): number {
  const offset = offsetAt(to, zone);
  let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle * 1000, zone) === offset) high = middle;
    else low = middle;
  }
  return high * 1000;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  try {
    const made = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(zone, made);
    return made;
  } catch (error) {
    throw new RebootWindowError(
      'unknown-zone',
      `${JSON.stringify(zone.slice(0, 80))} is no known time zone`,
      {
        cause: error,
      },
    );
  }
}

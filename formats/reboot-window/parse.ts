/**
 * How windows are written. Two forms: locksmith's pair of start and length, kept as it was, and ours, which has several
 * windows, days in lists and ranges, and a zone each:
 *
 *     windows = window {";" window}
 *     window  = [days] HH:MM "+" length [zone]
 *     days    = day [-day] {"," day [-day]}      Mon-Fri   Sat,Sun   Fri-Mon   (any case)
 *     length  = a duration of Go                 2h   90m   1h30m
 *     zone    = a name of the IANA database      Europe/Berlin   UTC
 *
 * Rejected: calendar events of systemd.time(7). They say when something begins and have no place for how long it may
 * last, and their zones need systemd to be read.
 */
import {parseGoDuration} from '../go-duration.ts';
import type {Reading} from '../update-conf-values.ts';
import {type RebootWindow, WEEKDAYS, type Weekday} from './window.ts';
import {isZone} from './zone.ts';

const DAY_MS = 86_400_000;
const ALL_DAYS: readonly Weekday[] = [0, 1, 2, 3, 4, 5, 6];
/** Each asks for its opening hours over a few weeks whenever the gate is asked. */
const MAX_WINDOWS = 32;
const CLOCK = /^(\d{1,2}):(\d{1,2})$/;

const bad = (problem: string): {kind: 'bad'; problem: string} => ({kind: 'bad', problem});

/** Locksmith's `[Day ]HH:MM` and a length. The problem continues the sentence "START and LENGTH ...". */
export function parseLocksmithWindow(start: string, length: string): Reading<RebootWindow> {
  const words = start.trim().split(/\s+/);
  const [clock = '', day = null] = words.length === 2 ? [words[1], words[0]] : [words[0]];
  if (words.length > 2 || (day !== null && parseDay(day) === null))
    return bad(`start with ${quote(start)}, which is no time such as "02:00" or "Thu 02:00"`);
  const days = day === null ? ALL_DAYS : parseDays(day);
  return windowOf(`${start.trim()}+${length.trim()}`, days, clock, length.trim(), null);
}

/** Several windows. The problem continues the sentence "REBOOT_WINDOWS ...". */
export function parseWindows(text: string): Reading<readonly RebootWindow[]> {
  const texts = text
    .split(';')
    .map((each) => each.trim().replaceAll(/\s+/g, ' '))
    .filter((each) => each !== '');
  if (texts.length > MAX_WINDOWS) return bad(`has ${texts.length} windows, more than ${MAX_WINDOWS}`);
  if (texts.length === 0) return bad('names no window');
  const windows: RebootWindow[] = [];
  for (const each of texts) {
    const window = parseWindow(each);
    if (window.kind === 'bad') return bad(`has ${quote(each)}, which ${window.problem}`);
    windows.push(window.value);
  }
  return {kind: 'value', value: windows};
}

function parseWindow(text: string): Reading<RebootWindow> {
  const [, days, clock, length, zone] =
    /^(?:([A-Za-z,-]+) )?([\d:]+)\+([^ ]+)(?: ([^ ]+))?$/.exec(text) ?? [];
  if (clock === undefined || length === undefined)
    return bad('is no window such as "Mon-Fri 02:00+2h Europe/Berlin"');
  return windowOf(text, days === undefined ? ALL_DAYS : parseDays(days), clock, length, zone ?? null);
}

function windowOf(
  text: string,
  days: readonly Weekday[] | null,
  clock: string,
  length: string,
  zone: string | null,
): Reading<RebootWindow> {
  if (days === null) return bad('has days that are not like "Mon", "Mon-Fri" or "Sat,Sun"');
  const [hour = 24, minute = 60] = (CLOCK.exec(clock) ?? []).slice(1).map(Number);
  if (hour > 23 || minute > 59) return bad(`starts at ${quote(clock)}, which is no time of day`);
  const lengthMs = parseGoDuration(length);
  if (lengthMs === null) return bad(`lasts ${quote(length)}, which is no duration such as 1h30m`);
  if (lengthMs < 0) return bad(`lasts ${quote(length)}, which is negative`);
  const isDaily = days.length === ALL_DAYS.length;
  if (lengthMs >= (isDaily ? 1 : 7) * DAY_MS)
    return bad(`lasts ${quote(length)}; it must be shorter than ${isDaily ? '24 hours' : '7 days'}`);
  if (zone !== null && !isZone(zone)) return bad(`is in ${quote(zone)}, which is no time zone that is known`);
  return {kind: 'value', value: {text, days, hour, minute, lengthMs, zone}};
}

/** Sorted; null when it is none. A range may go over the end of the week. */
function parseDays(text: string): readonly Weekday[] | null {
  const found = new Set<Weekday>();
  for (const item of text.split(',')) {
    const [from = '', to = from, ...rest] = item.split('-');
    const [first, last] = [parseDay(from), parseDay(to)];
    if (first === null || last === null || rest.length > 0) return null;
    for (let day = first; ; day = ((day + 1) % 7) as Weekday) {
      found.add(day);
      if (day === last) break;
    }
  }
  return [...found].sort();
}

function parseDay(text: string): Weekday | null {
  const index = WEEKDAYS.findIndex((name) => name.toLowerCase() === text.toLowerCase());
  return index < 0 ? null : (index as Weekday);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

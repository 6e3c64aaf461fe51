/** How the page says numbers and times; pure. Times are in UTC: a fleet has many zones, and logs have that one. */
import {formatMinute} from '../../formats/units.ts';
import {type Html, html} from './html.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const GROUPED = new Intl.NumberFormat('en-GB');

/** `12,345`. */
export function formatCount(value: number): string {
  return GROUPED.format(value);
}

/** `1 machine`, `1,200 machines`. */
export function countOf(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** `12.5 %`: as many digits as say something; nothing of nothing is 0 %. */
export function formatPart(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (100 * part) / whole;
  if (part < whole && percent > 99.9) return '> 99.9 %';
  if (percent < 0.1) return '< 0.1 %';
  return `${percent < 10 && !Number.isInteger(percent) ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** With a capital, as a sentence begins. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `just now`, `12 min`, `3 h`, `5 days`, `14 months`: the largest unit that has come round. */
export function formatAge(ms: number): string {
  if (ms < MINUTE_MS) return 'just now';
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  if (ms < 90 * DAY_MS) return `${Math.floor(ms / DAY_MS)} days`;
  return `${Math.floor(ms / (30.44 * DAY_MS))} months`;
}

/** `5 days ago`, with the time itself for machines and on hovering. */
export function ago(at: number, now: number): Html {
  const age = formatAge(now - at);
  const text = age === 'just now' ? age : `${age} ago`;
  return html`<time datetime="${new Date(at).toISOString()}" title="${formatMinute(at)} UTC">${text}</time>`;
}

/** The time itself, with its age on hovering. */
export function when(at: number, now: number): Html {
  const age = formatAge(now - at);
  const title = age === 'just now' ? age : `${age} ago`;
  return html`<time datetime="${new Date(at).toISOString()}" title="${title}">${formatMinute(at)}</time>`;
}

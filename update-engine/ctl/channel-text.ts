/** The signed state of the channel as people read it. */
import type {Status} from '../api/status.ts';
import {formatSpan} from './span.ts';

type Channel = Status['channel'];

/** One line; null when there is nothing to tell. `isFull` also tells that all is well, or that nothing is checked. */
export function channelLine(channel: Channel, now: number, isFull: boolean): string | null {
  if (channel === null) return isFull ? 'no signed state was looked for yet' : null;
  if (channel.standing === 'unchecked') return isFull ? `not checked: ${channel.detail}` : null;
  const {expires, standing, detail} = channel;
  // Time goes on after the last look.
  if (standing === 'current' && expires !== null && expires <= now)
    return `${detail}; that held until ${span(now - expires)} ago, and no check came through since`;
  if (standing === 'current') {
    if (!isFull) return null;
    return expires === null ? detail : `${detail}; it holds for ${span(expires - now)}`;
  }
  return standing === 'backwards' ? `REFUSED: ${detail}` : `warning: ${detail}`;
}

export function formatChannel(channel: Channel, now: number): string {
  const line = channelLine(channel, now, true) ?? '';
  if (channel === null || channel.standing === 'unchecked') return `${line}\n`;
  const time = (at: number | null): string =>
    at === null ? '-' : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
  const rows = [
    ['state', line],
    ['looked', `${span(now - channel.at)} ago`],
    ['channel', channel.channel ?? '-'],
    ['release', channel.version ?? '-'],
    ['number', channel.serial === null ? '-' : String(channel.serial)],
    ['signed', time(channel.issued)],
    ['holds until', time(channel.expires)],
  ] as const;
  return rows.map(([name, text]) => `${name.padEnd(11)}  ${text}\n`).join('');
}

function span(ms: number): string {
  return formatSpan(Math.max(0, ms) / 1000);
}

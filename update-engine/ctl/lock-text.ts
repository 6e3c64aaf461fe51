/** The reboot lock as people read it. */
import type {LockView} from '../../coordination/etcd-group.ts';
import {formatSpan} from './span.ts';

/** `self` is this host's id, which is marked. `now` in milliseconds since 1970. */
export function formatLock(view: LockView, where: string, self: string, now: number): string {
  const {group, max, available, holders, waiting, waitingTotal, expirySeconds} = view;
  const rows = [
    `lock       ${where}, ${group === '' ? 'no group' : `group ${group}`}`,
    `available  ${available} of ${max}`,
  ];
  if (expirySeconds !== null) rows.push(`expiry     holders are dropped after ${formatSpan(expirySeconds)}`);
  rows.push(...table('held by', holders, self, now));
  rows.push(...table('waiting', waiting, self, now));
  const left = waitingTotal - waiting.length;
  if (left > 0) rows.push(`           and ${left} more`);
  return `${rows.join('\n')}\n`;
}

interface Line {
  readonly id: string;
  readonly since: number | null;
  readonly reason: string | null;
  readonly position?: number;
}

function table(title: string, lines: readonly Line[], self: string, now: number): string[] {
  return lines.map(({id, since, reason, position}, index) => {
    const name = index === 0 ? title : '';
    const place = position === undefined ? '' : `${position}. `;
    const age = since === null ? '' : `  since ${formatSpan(Math.max(0, (now - since) / 1000))}`;
    const why = reason === null ? '' : `  ${reason}`;
    return `${name.padEnd(11)}${place}${id}${id === self ? ' (this host)' : ''}${age}${why}`;
  });
}

/** locksmithctl's own form, which scripts read. */
export function formatLocksmithStatus({available, max, holders}: LockView): string {
  const lines = [`Available: ${available}`, `Max: ${max}`];
  if (holders.length > 0) lines.push('', 'MACHINE ID', ...holders.map(({id}) => id));
  return `${lines.join('\n')}\n`;
}

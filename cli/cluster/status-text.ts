/** A cluster on one screen: a row for each member, the lock, and why nothing happens where nothing does. */
import {formatSeconds} from '../../formats/units.ts';
import {table} from '../table.ts';
import type {ClusterStatus, LockStatus, MemberStatus} from './document.ts';

const MAX_REASON_CHARACTERS = 160;

const HEAD = ['MEMBER', 'POWER', 'LINK', 'SSH', 'RUNS', 'SLOT', 'ENGINE', 'ETCD', 'LOCK'];

export function formatClusterStatus(status: ClusterStatus): string {
  const {at, lock, members} = status;
  const rows = [HEAD, ...members.map((member) => row(member, lock, at))];
  const notes = [describeLock(lock, at), ...members.flatMap((member) => reasons(member, at))];
  return [...table(rows), '', ...notes, ''].join('\n');
}

function row({name, isOn, link, ssh, host, etcd}: MemberStatus, lock: LockStatus, at: number): string[] {
  return [
    name,
    isOn ? 'on' : 'off',
    link,
    ssh,
    host?.version ?? '-',
    host === null ? '-' : `${host.slot ?? 'none'}${goodness(host.isGood)}`,
    host === null ? '-' : [host.state, host.offer ?? ''].join(' ').trimEnd(),
    describeEtcd(etcd),
    lockOf(name, lock, at),
  ];
}

function goodness(isGood: boolean | null): string {
  if (isGood === null) return '';
  return isGood ? ' good' : ' on trial';
}

function describeEtcd(etcd: MemberStatus['etcd']): string {
  if (etcd.kind === 'failed') return 'no answer';
  const health = etcd.hasLeader ? 'healthy' : 'no leader';
  return [health, ...(etcd.isLeader ? ['leads'] : []), ...etcd.problems].join(', ');
}

function lockOf(name: string, lock: LockStatus, at: number): string {
  if (lock.kind === 'unknown') return '?';
  const held = lock.holders.find((holder) => holder.name === name);
  if (held !== undefined) return `${held.isKept ? 'keeps' : 'holds'}${since(held.since, at)}`;
  const position = lock.waiting.findIndex((waiter) => waiter.name === name);
  return position === -1 ? '-' : `waits, ${position + 1} of ${lock.waiting.length}`;
}

function describeLock(lock: LockStatus, at: number): string {
  if (lock.kind === 'unknown') return `Lock: not known: ${shorten(lock.reason)}`;
  const {max, holders, waiting} = lock;
  const held = holders.map(({name, since: from, reason, version, isKept}) => {
    const why = [reason, version].filter((text) => text !== null).join(', ');
    return `${name}${isKept ? ' keeps it' : ''}${since(from, at)}${why === '' ? '' : ` (${shorten(why)})`}`;
  });
  const holding = held.length === 0 ? 'free' : `held by ${held.join('; ')}`;
  const queue = waiting.length === 0 ? '' : `; waiting: ${waiting.map(({name}) => name).join(', ')}`;
  return `Lock: ${holding}${queue}; at most ${max} at a time`;
}

function since(from: number | null, at: number): string {
  return from === null ? '' : ` for ${formatSeconds(Math.max(0, at - from) / 1000)}`;
}

function reasons({name, host, silent, etcd}: MemberStatus, at: number): string[] {
  const age = host === null ? '' : `, shown as of ${formatSeconds((at - host.at) / 1000)} ago`;
  return [
    ...(host?.waiting ?? []).map((reason) => `${name} waits: ${shorten(reason)}`),
    ...(silent === null ? [] : [`${name} does not answer${age}: ${shorten(silent)}`]),
    ...(etcd.kind === 'failed' ? [`etcd of ${name}: ${shorten(etcd.reason)}`] : []),
  ];
}

/** One line of the screen, without what a terminal would obey to. */
function shorten(text: string): string {
  const line = text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  return line.length <= MAX_REASON_CHARACTERS ? line : `${line.slice(0, MAX_REASON_CHARACTERS - 3)}...`;
}

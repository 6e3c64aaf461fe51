/** The status as people read it: a few lines that answer what runs, what comes next, and why nothing happens. */
import {formatInstant} from '../../formats/reboot-window/opening.ts';
import {formatBytes, formatSeconds} from '../../formats/units.ts';
import type {SlotStatus, Status} from '../api/status.ts';
import {channelLine} from './channel-text.ts';
import {formatSpan} from './span.ts';

/** `now` in milliseconds since 1970; `isFull` adds the reasons and the rarer facts. */
export function formatStatus(status: Status, now: number, isFull: boolean): string {
  const rows = [...mainRows(status, now, isFull), ...(isFull ? explainRows(status, now) : [])];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join('');
}

type Row = readonly [string, string];

function mainRows(status: Status, now: number, isFull: boolean): Row[] {
  const {os, pending, lastCheck, lastError, denied} = status;
  const rows: Row[] = [
    ['running', `${os.version} (${os.buildId})${whereFrom(status)}`],
    ['next boot', nextBoot(status)],
    ['state', `${status.state}${describeOffer(status)}, since ${ago(status.stateSince, now)}`],
  ];
  if (status.progress !== null) rows.push(['progress', formatProgress(status.progress)]);
  for (const reason of status.waiting) rows.push(['waiting', reason]);
  if (pending !== null)
    rows.push(['installed', `${pending.version} in slot ${pending.slot}, ${ago(pending.installedAt, now)}`]);
  rows.push([
    'last check',
    lastCheck === null ? 'none yet' : `${ago(lastCheck.at, now)}: ${lastCheck.detail}`,
  ]);
  const channel = channelLine(status.channel, now, isFull);
  if (channel !== null) rows.push(['channel', channel]);
  if (lastError !== null) {
    const hint = lastError.hint === null ? '' : ` (${lastError.hint})`;
    rows.push([
      'last error',
      `${ago(lastError.at, now)}, at ${lastError.stage}: ${lastError.message}${hint}`,
    ]);
  }
  for (const entry of denied) rows.push(['denied', `${entry.version}: ${entry.reason}`]);
  for (const problem of status.config.problems) rows.push(['config', problem]);
  for (const problem of status.disk.problems) rows.push(['disk', problem]);
  if (status.disk.repair !== null)
    rows.push(['disk', `${ago(status.disk.repair.at, now)}: ${status.disk.repair.detail}`]);
  return rows;
}

function whereFrom({slot, isLive, isGood}: Status): string {
  if (slot === null) return isLive ? ', from its boot image' : '';
  const goodness = isGood === null ? '' : isGood ? ', good' : ', on trial: not found good yet';
  return ` in slot ${slot}${goodness}`;
}

function explainRows(status: Status, now: number): Row[] {
  const {config, strategy, nextBoot: next, lastUpdate, health} = status;
  const rows: Row[] = status.slots.map((slot) => [`slot ${slot.letter}`, describeSlot(slot)]);
  if (next !== null) rows.push(['because', next.reason]);
  rows.push(...holdRows(status, now));
  rows.push(['next check', status.nextCheckAt === null ? 'none planned' : until(status.nextCheckAt, now)]);
  if (lastUpdate !== null) rows.push(['last update', `${ago(lastUpdate.at, now)}: ${lastUpdate.detail}`]);
  rows.push(
    ['server', config.server ?? 'none: this host updates only by hand'],
    ['group', config.group],
    ['reboots', strategy.note ?? `strategy ${strategy.effective}`],
  );
  const {gates, debt, window, wantedSince, lockAttempts} = status.reboot;
  rows.push(['window', window.detail]);
  if (wantedSince !== null) rows.push(['reboot', `wanted since ${ago(wantedSince, now)}`]);
  for (const {name, answer, detail, since} of gates)
    rows.push([`  ${name}`, `${answer}, since ${ago(since, now)}: ${detail}`]);
  if (debt !== null && debt.lock !== 'none') {
    const held =
      debt.heldSince === null
        ? `asked for ${lockAttempts} times since ${ago(debt.askedAt, now)}`
        : `held since ${ago(debt.heldSince, now)}`;
    rows.push(['lock', `${debt.lock}, ${held}: ${debt.reason}`]);
  }
  if (config.pin !== null) rows.push(['pinned', config.pin]);
  if (config.highest !== null) rows.push(['highest', config.highest]);
  if (config.allowDowngrade) rows.push(['downgrade', 'allowed']);
  if (health !== null) {
    const failed = health.failed.length === 0 ? '' : `: ${health.failed.join('; ')}`;
    rows.push(['health', `${health.version} ${health.outcome}, ${ago(health.at, now)}${failed}`]);
  }
  return rows;
}

/** What the server last said about why this host waits. */
function holdRows({lastOffer}: Status, now: number): Row[] {
  const hold = lastOffer?.hold ?? null;
  if (lastOffer === null || hold === null) return [];
  const {version, reason, detail, position, notBefore} = hold;
  const at = notBefore === null ? null : 1000 * notBefore;
  return [
    ['held back', `${version}, ${reason}: ${detail} (as of ${ago(lastOffer.at, now)})`],
    ['  position', position === null ? 'in no line' : `${position} in line`],
    ['  earliest', at === null ? 'not known' : `${until(at, now)}: ${formatInstant(at, 'UTC', now)}`],
  ];
}

function nextBoot({nextBoot: next, slots, isLive}: Status): string {
  if (isLive) return 'the image that the machine is given when it starts';
  if (next === null) return 'unknown: the partition table cannot be read';
  if (next.slot === null) return 'nothing can be started';
  const slot = slots.find(({letter}) => letter === next.slot);
  const version = slot?.version === null || slot === undefined ? '' : `: ${slot.version}`;
  const how =
    next.kind === 'last-resort' ? ', as the last resort' : slot?.successful === false ? ', on trial' : '';
  return `slot ${next.slot}${version}${how}`;
}

function describeSlot({version, buildId, priority, tries, successful, isRunning}: SlotStatus): string {
  const what = version === null ? 'nothing that can be read' : `${version} (${buildId ?? ''})`;
  const bits = `priority ${priority}, tries ${tries}, ${successful ? 'successful' : 'not successful'}`;
  return `${what}; ${bits}${isRunning ? '; running' : ''}`;
}

function describeOffer({offer}: Status): string {
  if (offer === null) return '';
  return ` ${offer.version}${offer.bytes > 0 ? ` (${formatBytes(offer.bytes)})` : ''}`;
}

export function formatProgress({doneBytes, totalBytes, bytesPerSecond, secondsLeft}: Progress): string {
  const share =
    totalBytes === 0 ? '' : ` of ${formatBytes(totalBytes)} (${percent(doneBytes, totalBytes)} %)`;
  const rate = bytesPerSecond === null ? '' : `, ${formatBytes(bytesPerSecond)}/s`;
  const left = secondsLeft === null ? '' : `, ${formatSeconds(secondsLeft)} left`;
  return `${formatBytes(doneBytes)}${share}${rate}${left}`;
}
type Progress = NonNullable<Status['progress']>;

function percent(done: number, total: number): number {
  return Math.floor((100 * done) / total);
}

function ago(at: number, now: number): string {
  const seconds = Math.max(0, (now - at) / 1000);
  if (seconds < 1.5) return 'now';
  return `${formatSpan(seconds)} ago`;
}

function until(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  return seconds <= 0 ? 'due' : `in ${formatSpan(seconds)}`;
}

/** When each member did what during an update of the cluster: pure, from one look at the cluster after the other. */
import type {ClusterStatus, LockStatus, MemberStatus} from './document.ts';

/** Milliseconds on one clock; null as long as it has not happened. */
export interface MemberTimeline {
  name: string;
  /** The new release is in the idle slot. */
  installedMs: number | null;
  lockedMs: number | null;
  /** The new release begins to boot. */
  restartedMs: number | null;
  /** The new release is found good. */
  goodMs: number | null;
  /** The lock is free for the next. */
  releasedMs: number | null;
}

export function startTimeline(names: readonly string[]): MemberTimeline[] {
  return names.map((name) => {
    const nothing = {installedMs: null, lockedMs: null, restartedMs: null, goodMs: null, releasedMs: null};
    return {name, ...nothing};
  });
}

/** The timeline after a look; `version` is the one that is rolled out. */
export function lookedAt(
  timeline: readonly MemberTimeline[],
  {members, lock}: ClusterStatus,
  version: string,
  nowMs: number,
): MemberTimeline[] {
  return timeline.map((before) => {
    const member = members.find(({name}) => name === before.name);
    if (member === undefined) return before;
    const isThere = member.host?.version === version;
    const isHolding = holds(lock, before.name);
    return {
      ...before,
      installedMs: before.installedMs ?? (isThere || isInstalled(member, version) ? nowMs : null),
      lockedMs: before.lockedMs ?? (isHolding === true ? nowMs : null),
      goodMs: before.goodMs ?? (isThere && member.host?.isGood === true ? nowMs : null),
      releasedMs: before.releasedMs ?? (before.lockedMs !== null && isHolding === false ? nowMs : null),
    };
  });
}

export function restartedAt(
  timeline: readonly MemberTimeline[],
  name: string,
  nowMs: number,
): MemberTimeline[] {
  return timeline.map((before) =>
    before.name === name ? {...before, restartedMs: before.restartedMs ?? nowMs} : before,
  );
}

/** Whether every member runs the version, found good, and nobody holds the lock any more. */
export function isRolledOut({members, lock}: ClusterStatus, version: string): boolean {
  return (
    lock.kind === 'known' &&
    lock.holders.length === 0 &&
    members.every(({host, silent}) => silent === null && host?.version === version && host.isGood === true)
  );
}

/** What has changed between two looks, a sentence each. */
export function describeChanges(before: ClusterStatus | null, after: ClusterStatus): string[] {
  return [
    ...after.members.flatMap((member) => {
      const was = before?.members.find(({name}) => name === member.name);
      return memberChanges(was, member);
    }),
    ...lockChanges(before?.lock, after.lock),
  ];
}

function memberChanges(before: MemberStatus | undefined, {name, host, link, isOn}: MemberStatus): string[] {
  const was = before?.host ?? null;
  const changes: string[] = [];
  if (before !== undefined && before.isOn && !isOn) changes.push(`${name} is off`);
  if (before !== undefined && before.link !== link) changes.push(`${name} is ${link}`);
  if (host === null) return changes;
  const release = `${host.version} in slot ${host.slot ?? '-'}${host.isGood === true ? ', good' : ''}`;
  const wasRelease =
    was === null ? '' : `${was.version} in slot ${was.slot ?? '-'}${was.isGood === true ? ', good' : ''}`;
  if (release !== wasRelease) changes.push(`${name} runs ${release}`);
  if (was !== null && host.state !== was.state)
    changes.push(`${name}: ${host.state} ${host.offer ?? ''}`.trimEnd());
  const reasons = host.waiting.join('; ');
  if (reasons !== '' && reasons !== was?.waiting.join('; ')) changes.push(`${name} waits: ${reasons}`);
  return changes;
}

function lockChanges(before: LockStatus | undefined, after: LockStatus): string[] {
  if (after.kind === 'unknown') return [];
  const names = (lock: LockStatus | undefined): string[] =>
    lock?.kind === 'known' ? lock.holders.map(({name}) => name) : [];
  const [had, has] = [names(before), names(after)];
  return [
    ...had.filter((name) => !has.includes(name)).map((name) => `${name} has freed the lock`),
    ...has.filter((name) => !had.includes(name)).map((name) => `${name} holds the lock`),
  ];
}

function isInstalled({host}: MemberStatus, version: string): boolean {
  return host?.lastUpdate?.outcome === 'installed' && host.lastUpdate.version === version;
}

/** Null when the lock could not be read. */
function holds(lock: LockStatus, name: string): boolean | null {
  return lock.kind === 'unknown' ? null : lock.holders.some((holder) => holder.name === name);
}

/**
 * What a host takes from a channel's file alone, without an update server: which of its releases, and when its turn comes.
 * Pure; the rules are those of a server (server/omaha.ts).
 */
import {createHash} from 'node:crypto';
import {
  type ChannelDocument,
  type ListedRelease,
  newestFirst,
  targetFor,
} from '../../formats/channel-metadata/document.ts';
import {compareVersions, hasVersionPrefix, isVersion} from '../../formats/version.ts';

export interface Chooser {
  readonly running: string;
  /** What it calls the channel. */
  readonly follower: string;
  /** Empty, or the beginning of the only versions that it takes. */
  readonly prefix: string;
}

/** For a host with a prefix the newest that has it; else what the channel points to. Null when nothing is newer. */
export function chooseRelease(
  document: ChannelDocument,
  {running, follower, prefix}: Chooser,
): ListedRelease | null {
  if (!isVersion(running)) return null;
  const target = targetFor(document, follower);
  const isWanted = ({version}: ListedRelease): boolean =>
    document.allowDowngrade && version === target
      ? version !== running
      : compareVersions(version, running) > 0;
  const isCandidate = ({version}: ListedRelease): boolean =>
    prefix === '' ? version === target : hasVersionPrefix(version, prefix) && isNotAhead(version, target);
  return newestFirst(document.releases.filter((each) => isCandidate(each) && isWanted(each)))[0] ?? null;
}

/** A release that is listed for others, for a group that is ahead say, is not for this one. */
function isNotAhead(version: string, target: string | null): boolean {
  return target !== null && compareVersions(version, target) <= 0;
}

/**
 * When this host may take what the channel points to, in milliseconds since 1970; null when it may at once. The same host
 * is early or late by chance with each release anew, and always the same with one.
 */
export function turnOf(
  {promoted, spreadSeconds, channel}: ChannelDocument,
  version: string,
  machineId: string,
): number | null {
  if (promoted === null || spreadSeconds === 0) return null;
  const hash = createHash('sha256').update(`${channel}\0${version}\0${machineId}`).digest();
  return promoted + Math.floor((hash.readUInt32BE(0) / 2 ** 32) * spreadSeconds) * 1000;
}

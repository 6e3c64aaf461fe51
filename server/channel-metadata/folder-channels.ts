/** Channels of a folder of releases, as they are to be signed. */
import type {ChannelName, Channels} from '../channels.ts';
import {type ReleaseState, type ServedRelease, servedOf} from '../releases.ts';
import {type ChannelContent, contentOf} from './content.ts';

/** Null for a channel that points nowhere. */
export function folderContent(
  name: ChannelName,
  channels: Channels,
  states: readonly ReleaseState[],
  spreadSeconds: number,
): ChannelContent | null {
  const channel = channels[name];
  if (channel === undefined) return null;
  return contentOf({
    name,
    version: channel.version,
    promotedAt: channel.promotedAt,
    allowDowngrade: channel.allowDowngrade,
    others: channel.past,
    groups: [],
    withdrawn: [],
    releases: servedByVersion(states),
    spreadSeconds,
  });
}

export function servedByVersion(states: readonly ReleaseState[]): ReadonlyMap<string, ServedRelease> {
  return new Map(servedOf(states).map((release) => [release.version, release]));
}

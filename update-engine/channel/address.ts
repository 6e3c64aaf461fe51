/** Where a host finds the signed file of its channel: derived from the server that it asks, unless it is told. */
import {CHANNEL_NAME} from '../../formats/channel-metadata/document.ts';
import {channelPath} from '../../formats/channel-metadata/channel-file.ts';
import type {UpdateSettings} from '../../formats/update-conf.ts';

export type ChannelAddress =
  | {readonly kind: 'url'; readonly url: string; readonly follower: string}
  /** Nothing is looked for, for this reason. */
  | {readonly kind: 'none'; readonly reason: string};

export function channelAddress({
  server,
  channelMetadata,
  group,
}: Pick<UpdateSettings, 'server' | 'channelMetadata' | 'group'>): ChannelAddress {
  if (server.kind === 'disabled') return {kind: 'none', reason: server.reason};
  const follower = group.replaceAll(/[{}]/g, '');
  if (!CHANNEL_NAME.test(follower)) return {kind: 'none', reason: `GROUP=${group} is no name of a file`};
  if (server.kind === 'static') return {kind: 'url', url: `${server.url}${channelPath(follower)}`, follower};
  if (channelMetadata.kind === 'disabled') return {kind: 'none', reason: 'CHANNEL_METADATA=disabled'};
  const base = channelMetadata.kind === 'folder' ? channelMetadata.url : besideOf(server.url);
  return {kind: 'url', url: `${base}${channelPath(follower)}`, follower};
}

/** `https://host/some/v1/update/` has its channels in `https://host/some/channels/`. */
function besideOf(serverUrl: string): string {
  const url = new URL(serverUrl);
  url.search = '';
  url.hash = '';
  url.pathname = url.pathname.replace(/v1\/update\/?$/, '').replace(/[^/]*$/, '');
  return url.href;
}

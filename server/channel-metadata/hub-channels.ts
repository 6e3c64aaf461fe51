/**
 * The signed channels of the release server. What was signed stays in memory until anything about channels, groups or
 * releases changes: hosts ask for it with every check, and the database answers some hundred questions a second.
 */
import type {KeyObject} from 'node:crypto';
import {type ChannelDocument, isCalled} from '../../formats/channel-metadata/document.ts';
import type {Hub} from '../hub/hub.ts';
import type {Route} from '../route.ts';
import {listGroups} from '../store/groups.ts';
import {listChannels, listPromotions, listReleases} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import {channelRoute} from './answer.ts';
import {type ChannelContent, contentOf} from './content.ts';
import type {RenewSettings} from './renew.ts';
import {createChannelSigner} from './signer.ts';
import {storedChannels} from './store.ts';

export interface HubChannelsOptions {
  readonly database: Database;
  readonly hub: Pick<Hub, 'revision'>;
  readonly keys: readonly KeyObject[];
  readonly settings: RenewSettings;
  readonly now: () => number;
  readonly onLine: (text: string) => void;
}

interface Kept {
  readonly revision: number;
  readonly bytes: Uint8Array;
  readonly document: ChannelDocument;
}

/** None without a key. */
export function hubChannelRoutes(options: HubChannelsOptions): readonly Route[] {
  const {database, hub, keys, settings, now, onLine} = options;
  if (keys.length === 0) return [];
  const signer = createChannelSigner({keys, kept: storedChannels(database), settings, now, onLine});
  const known = new Map<string, Kept>();

  async function find(name: string): Promise<Uint8Array | null> {
    const revision = hub.revision();
    const key = name.toLowerCase();
    const before = known.get(key);
    if (before !== undefined && before.revision === revision && isYoung(before.document, now(), settings))
      return before.bytes;
    const content = await readContent(database, key);
    if (content === null) return null;
    const {bytes, document} = await signer.sign(content);
    known.set(key, {revision, bytes, document});
    return bytes;
  }

  return [channelRoute(find, onLine)];
}

function isYoung({issued}: ChannelDocument, now: number, {refreshMs}: RenewSettings): boolean {
  return now < issued + refreshMs;
}

/** Of the channel with that name, or of the one that a group of that name or id follows. */
async function readContent(database: Database, name: string): Promise<ChannelContent | null> {
  const groups = await listGroups(database);
  const channels = await listChannels(database);
  const follows = groups.find((group) => isCalled(group, name))?.channel;
  const channel = channels.find((each) => each.name.toLowerCase() === name || each.name === follows);
  if (channel === undefined) return null;
  const followers = groups.filter((group) => group.channel === channel.name);
  const releases = await listReleases(database);
  const past = await listPromotions(database, channel.name);
  return contentOf({
    name: channel.name,
    version: channel.version,
    promotedAt: channel.promotedAt,
    allowDowngrade: channel.allowDowngrade,
    others: [...followers.flatMap(({policy}) => policy.steppingStones), ...past.map(({version}) => version)],
    groups: followers.map(({name: own, id, policy}) => ({name: own, id, pin: policy.pin})),
    withdrawn: releases.filter(({isWithdrawn}) => isWithdrawn).map(({version}) => version),
    releases: new Map(releases.map((release) => [release.version, release])),
    spreadSeconds: 0,
  });
}

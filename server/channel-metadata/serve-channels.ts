/** The signed channels of `caisson serve`: files below the folder of releases, signed when they are asked for. */
import type {KeyObject} from 'node:crypto';
import {readChannels} from '../channel-file.ts';
import {withChannelLock} from '../channel-lock.ts';
import {CHANNEL_NAMES} from '../channels.ts';
import type {ReleaseFolder} from '../releases.ts';
import type {Route} from '../route.ts';
import {channelRoute} from './answer.ts';
import {channelFolder} from './folder.ts';
import {folderContent} from './folder-channels.ts';
import type {RenewSettings} from './renew.ts';
import {createChannelSigner} from './signer.ts';

export interface ServeChannelsOptions {
  readonly dir: string;
  readonly releases: ReleaseFolder;
  readonly keys: readonly KeyObject[];
  readonly settings: RenewSettings;
  readonly now: () => number;
  readonly onLine: (text: string) => void;
  readonly signal: AbortSignal;
}

/** None without a key. */
export function serveChannelRoutes(options: ServeChannelsOptions): readonly Route[] {
  const {dir, releases, keys, settings, now, onLine, signal} = options;
  if (keys.length === 0) return [];
  const signer = createChannelSigner({keys, kept: channelFolder(dir), settings, now, onLine});

  async function find(asked: string): Promise<Uint8Array | null> {
    const name = CHANNEL_NAMES.find((each) => each === asked.toLowerCase());
    if (name === undefined) return null;
    const content = folderContent(name, await readChannels(dir), await releases.scan(signal), 0);
    if (content === null) return null;
    // Another server, or an export, may sign in the same folder.
    const {bytes} = await withChannelLock(dir, signal, () => signer.sign(content));
    return bytes;
  }

  return [channelRoute(find, onLine)];
}

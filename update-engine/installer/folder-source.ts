/** The release that the signed file of a channel points to, for sites whose hosts follow a folder instead of a server. */
import type {KeyObject} from 'node:crypto';
import {channelAddress} from '../channel/address.ts';
import {chooseRelease} from '../channel/choose.ts';
import {fetchChannel} from '../channel/fetch.ts';
import {folderRefusal, judgeChannel} from '../channel/judge.ts';
import {offerOf} from '../channel/offer.ts';
import {InstallerError} from './errors.ts';
import {type DownloadMeans, NOTHING_YET, type PayloadOrigin, originOfOffer} from './sources.ts';

export interface FolderQuestion extends DownloadMeans {
  /** Of the folder, with `/` at its end. */
  readonly url: string;
  readonly channel: string;
  /** Null for what the channel points to. */
  readonly version: string | null;
  /** Those that sign channels. */
  readonly channelKeys: readonly KeyObject[];
  readonly signal: AbortSignal;
  readonly onWarning: (text: string) => void;
}

/**
 * A machine that runs nothing yet has seen nothing of the channel: of a file that is old there is only its expiry to tell.
 * Throws InstallerError 'no-release', HttpError, ChannelMetadataError.
 */
export async function originOfFolder(question: FolderQuestion): Promise<PayloadOrigin> {
  const {http, url: folder, channel, version, channelKeys, signal, now, onWarning} = question;
  if (channelKeys.length === 0)
    throw new InstallerError('no-release', `no key of a channel came along to check ${folder} with`, {
      hint: 'name the public key that signs your channels with --channel-key',
    });
  const address = channelAddress({
    ...{server: {kind: 'static', url: folder}, group: channel},
    channelMetadata: {kind: 'beside'},
  });
  if (address.kind === 'none') throw new InstallerError('no-release', address.reason);
  const {url, follower} = address;
  const fetched = await fetchChannel(http, url, {keys: channelKeys, follower, signal});
  if (fetched.kind !== 'document') throw fetched.error;
  const judgement = judgeChannel({fetched, seen: null, now: now(), madeAt: null});
  const refusal = folderRefusal(judgement);
  if (refusal !== null) throw new InstallerError('no-release', refusal);
  for (const {detail} of judgement.findings) onWarning(detail);
  const found = chooseRelease(fetched.document, {running: NOTHING_YET, follower, prefix: version ?? ''});
  if (found === null || (version !== null && found.version !== version))
    throw new InstallerError('no-release', `${url} has ${version === null ? 'nothing' : `no ${version}`}`);
  return originOfOffer(offerOf(found, url), question);
}

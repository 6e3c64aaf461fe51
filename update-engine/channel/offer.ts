/** A release of a channel's signed file in the words of an update server: whoever downloads it knows no difference. */
import type {ListedRelease} from '../../formats/channel-metadata/document.ts';
import {ChannelMetadataError} from '../../formats/channel-metadata/errors.ts';
import {DEFAULT_MAX_FAILURES_PER_URL, type Offer} from '../../formats/omaha/offer.ts';

/** `channelUrl` is where the file lies. Throws ChannelMetadataError 'bad-document' without an address that can be used. */
export function offerOf(release: ListedRelease, channelUrl: string): Offer {
  const {version, bytes, sha256} = release;
  const urls = addressesOf(release, channelUrl);
  if (urls.length === 0)
    throw new ChannelMetadataError(
      'bad-document',
      `${channelUrl} names no address of ${version} that can be used`,
    );
  return {
    ...{version, urls, bytes, sha256, isDelta: false},
    // There is no server with many hosts to be spared.
    ...{disableBackoff: true, maxFailuresPerUrl: DEFAULT_MAX_FAILURES_PER_URL},
  };
}

/** Made absolute; those of another kind than the web's or the channel file's own are left out. */
export function addressesOf({urls}: ListedRelease, channelUrl: string): string[] {
  const kinds = ['http:', 'https:', new URL(channelUrl).protocol];
  return urls
    .filter((url) => URL.canParse(url, channelUrl))
    .map((url) => new URL(url, channelUrl))
    .filter(({protocol}) => kinds.includes(protocol))
    .map(({href}) => href);
}

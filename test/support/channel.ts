/** Documents of a channel, and the key that signs them in tests. */
import {generateKeyPairSync} from 'node:crypto';
import {signChannel} from '../../formats/channel-metadata/channel-file.ts';
import type {ChannelDocument, ListedRelease} from '../../formats/channel-metadata/document.ts';
import {CAISSON_APP_ID} from '../../formats/omaha/request.ts';

export const CHANNEL_KEY = generateKeyPairSync('rsa', {modulusLength: 2048});
export const ISSUED = Date.UTC(2026, 10, 21, 21, 30, 0);
export const DAY_MS = 24 * 60 * 60 * 1000;

export function listed(version: string, changes: Partial<ListedRelease> = {}): ListedRelease {
  const sha256 = Buffer.from(version).toString('hex').padEnd(64, '0');
  return {version, bytes: 1000, sha256, urls: [`../payloads/${sha256}/update.payload`], ...changes};
}

/** Of a channel that points to 1.2.0, and pointed to 1.1.0 before; holds for a week. */
export function channelDocument(changes: Partial<ChannelDocument> = {}): ChannelDocument {
  return {
    format: 1,
    app: CAISSON_APP_ID,
    channel: 'stable',
    groups: [{name: 'stable', id: null, pin: null}],
    serial: 100,
    issued: ISSUED,
    expires: ISSUED + 7 * DAY_MS,
    version: '1.2.0',
    promoted: ISSUED - DAY_MS,
    allowDowngrade: false,
    retreat: null,
    spreadSeconds: 0,
    releases: [listed('1.2.0'), listed('1.1.0')],
    withdrawn: [],
    ...changes,
  };
}

export function signed(document: ChannelDocument, key = CHANNEL_KEY.privateKey): Buffer {
  return signChannel(document, [key]);
}

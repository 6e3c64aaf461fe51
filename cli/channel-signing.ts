/** What commands share that sign channels. */
import {readDuration} from '../formats/reboot-settings-values.ts';
import {MAX_LIFETIME_MS} from '../formats/channel-metadata/document.ts';
import {findKeyFiles, readPrivateKeys} from '../payload/key-files.ts';
import type {ChannelSigning} from '../server/channel-metadata/renew.ts';
import {DEFAULT_CHANNEL_KEYS_DIR} from './paths.ts';
import {PayloadUsageError} from './payload/options.ts';

export interface SigningArguments {
  'channel-key': string[];
  'channel-expiry': string;
}

export const SIGNING_OPTIONS = {
  'channel-key': {
    type: 'string',
    array: true,
    default: [] as string[],
    defaultDescription: 'keys/channel/*.key.pem',
    describe: 'Private key in PEM that signs channels; may be repeated while keys change',
  },
  'channel-expiry': {
    type: 'string',
    default: '7d',
    describe: 'How long hosts may rely on a signed channel; it is signed anew after a seventh of that',
  },
} as const;

const HOUR_MS = 60 * 60 * 1000;

/** Undefined without a key: then channels are not signed. Throws MakePayloadError and PayloadUsageError. */
export async function readSigning(argv: SigningArguments): Promise<ChannelSigning | undefined> {
  const given = argv['channel-key'];
  const paths = given.length > 0 ? given : await findKeyFiles(DEFAULT_CHANNEL_KEYS_DIR, 'private');
  const lifetimeMs = readExpiry(argv['channel-expiry']);
  if (paths.length === 0) return undefined;
  return {keys: await readPrivateKeys(paths), settings: {lifetimeMs, refreshMs: Math.floor(lifetimeMs / 7)}};
}

function readExpiry(text: string): number {
  const days = /^(\d{1,3})d$/.exec(text)?.[1];
  const reading = readDuration(days === undefined ? text : `${Number(days) * 24}h`, HOUR_MS, MAX_LIFETIME_MS);
  if (reading.kind === 'value') return reading.value;
  throw new PayloadUsageError('usage', `--channel-expiry=${text} ${reading.problem}; for example 7d or 36h`);
}

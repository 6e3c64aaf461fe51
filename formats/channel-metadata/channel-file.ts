/** A channel as a file: signed, read with keys, and where it and its payloads lie below one address. */
import {type KeyObject, createHash} from 'node:crypto';
import {
  CHANNEL_NAME,
  type ChannelDocument,
  formatChannelDocument,
  isCalled,
  parseChannelDocument,
} from './document.ts';
import {openEnvelope, readEnvelope, sealEnvelope} from './envelope.ts';
import {ChannelMetadataError} from './errors.ts';

export interface OpenedChannel {
  readonly document: ChannelDocument;
  /** What was signed, as text. */
  readonly text: string;
  /** SHA-256 of that, hex: tells two documents with one serial number apart. */
  readonly digest: string;
  /** Fingerprint of the key. */
  readonly signedBy: string;
}

export function signChannel(document: ChannelDocument, privateKeys: readonly KeyObject[]): Buffer {
  return sealEnvelope(formatChannelDocument(document), privateKeys);
}

/**
 * `name` is what a host calls what it follows: the channel, or a group of it. Throws ChannelMetadataError; nothing of a
 * document is looked at before a trusted key was found to have signed it.
 */
export function openChannel(bytes: Uint8Array, keys: readonly KeyObject[], name: string): OpenedChannel {
  const {payload, signedBy} = openEnvelope(bytes, keys);
  const document = parseChannelDocument(payload);
  if (!isFor(document, name))
    throw new ChannelMetadataError(
      'other-channel',
      `it is of channel ${document.channel}, which has no group ${name}`,
    );
  return {document, text: payload.toString('utf8'), digest: digestOf(payload), signedBy};
}

/** What was signed once, and kept as text by whoever opened it. Throws ChannelMetadataError. */
export function recallChannel(text: string): Omit<OpenedChannel, 'signedBy'> {
  const payload = Buffer.from(text);
  return {document: parseChannelDocument(payload), text, digest: digestOf(payload)};
}

/** The signer's own file from before; believed because it is its own. Throws ChannelMetadataError. */
export function rereadChannel(bytes: Uint8Array): {
  readonly document: ChannelDocument;
  readonly keyIds: readonly string[];
} {
  const {payload, keyIds} = readEnvelope(bytes);
  return {document: parseChannelDocument(payload), keyIds};
}

export function isFor({channel, groups}: ChannelDocument, name: string): boolean {
  return [{name: channel, id: null}, ...groups].some((each) => isCalled(each, name));
}

/** Below the address of a server, or the folder of an export. Throws RangeError for what is no name. */
export function channelPath(name: string): string {
  if (!CHANNEL_NAME.test(name)) throw new RangeError(`${name} is no name of a channel`);
  return `channels/${name}.json`;
}

/** Of a payload as channel files name it: counted from the folder of the channel file. */
export function payloadUrl(sha256: string): string {
  return `../${payloadPath(sha256)}`;
}

/** Below the address of a server, or the folder of an export. */
export function payloadPath(sha256: string): string {
  return `payloads/${sha256}/update.payload`;
}

function digestOf(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex');
}

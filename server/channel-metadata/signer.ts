/**
 * Signs channels: anew when one changes and before a signature expires. What is given out was kept before, so that no
 * number is ever used twice, whenever the server is killed.
 */
import type {KeyObject} from 'node:crypto';
import {rereadChannel, signChannel} from '../../formats/channel-metadata/channel-file.ts';
import {type ChannelDocument, formatInstant} from '../../formats/channel-metadata/document.ts';
import {keyFingerprint} from '../../formats/payload/keys.ts';
import type {ChannelContent} from './content.ts';
import {type RenewSettings, renew} from './renew.ts';

/** Where signed channels are kept. */
export interface SignedChannels {
  /** Null before the first. */
  read(name: string): Promise<Uint8Array | null>;
  /** Durable when it returns. */
  write(name: string, serial: number, envelope: Uint8Array, now: number): Promise<void>;
}

export interface SignerOptions {
  readonly keys: readonly KeyObject[];
  readonly kept: SignedChannels;
  readonly settings: RenewSettings;
  readonly now: () => number;
  readonly onLine: (text: string) => void;
  /** Throws to refuse a document that is about to be signed after another. */
  readonly mayFollow?: (document: ChannelDocument, before: ChannelDocument | null) => void;
}

export interface ChannelSigner {
  /** The signed file of a channel as it is now. */
  sign(content: ChannelContent): Promise<{readonly bytes: Uint8Array; readonly document: ChannelDocument}>;
}

/** More than clocks of servers differ. */
const CLOCK_TOLERANCE_MS = 60 * 60 * 1000;

export function createChannelSigner(options: SignerOptions): ChannelSigner {
  const {keys, kept, settings, now, onLine, mayFollow} = options;
  const keyIds = keys.map(keyFingerprint).join();
  let last: Promise<unknown> = Promise.resolve();

  async function signOne(content: ChannelContent): ReturnType<ChannelSigner['sign']> {
    const {channel} = content;
    const bytes = await kept.read(channel);
    const before = bytes === null ? null : rereadChannel(bytes);
    const at = now();
    const isByTheseKeys = before?.keyIds.join() === keyIds;
    const settingsNow = isByTheseKeys ? settings : {...settings, refreshMs: Number.NEGATIVE_INFINITY};
    const document = renew(content, before?.document ?? null, at, settingsNow);
    if (document === null && bytes !== null && before !== null) return {bytes, document: before.document};
    if (document === null) throw new Error(`channel ${channel} has nothing to sign`);
    mayFollow?.(document, before?.document ?? null);
    if (document.issued > at + CLOCK_TOLERANCE_MS)
      onLine(
        `channel ${channel} was last signed ${formatInstant(document.issued)}, and the clock is behind that`,
      );
    const signed = signChannel(document, keys);
    await kept.write(channel, document.serial, signed, at);
    return {bytes: signed, document};
  }

  return {
    // One at a time: two must not take the same number.
    sign(content) {
      const result = last.then(() => signOne(content));
      last = result.catch(() => undefined);
      return result;
    },
  };
}

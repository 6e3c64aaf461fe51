/**
 * When a channel is signed anew, and with which number and dates: pure. Numbers are seconds since 1970 where they can be,
 * so that a server whose database was lost, or a second place that signs the same channel, goes on above what hosts have
 * seen; but a number is always greater than the one before, whatever the clock does.
 */
import type {KeyObject} from 'node:crypto';
import type {ChannelDocument} from '../../formats/channel-metadata/document.ts';
import {compareVersions} from '../../formats/version.ts';
import {type ChannelContent, wholeSeconds} from './content.ts';

export interface RenewSettings {
  /** How long a signature holds, in milliseconds. */
  readonly lifetimeMs: number;
  /** A signature that is older than this is replaced. */
  readonly refreshMs: number;
}

/** With what channels are signed, and for how long. */
export interface ChannelSigning {
  readonly keys: readonly KeyObject[];
  readonly settings: RenewSettings;
}

/** The document to sign now; null when the one before is still good. */
export function renew(
  content: ChannelContent,
  before: ChannelDocument | null,
  now: number,
  {lifetimeMs, refreshMs}: RenewSettings,
): ChannelDocument | null {
  if (before !== null && isSame(content, before)) {
    const age = now - before.issued;
    const hasLifetime = before.expires - before.issued === lifetimeMs;
    if (age < refreshMs && hasLifetime && now < before.expires) return null;
  }
  // After a clock that was set back it is signed all the same, and no date goes backwards.
  const issued = Math.max(wholeSeconds(now), before?.issued ?? 0);
  const serial = Math.max(Math.floor(now / 1000), (before?.serial ?? 0) + 1, 1);
  const isBack =
    before !== null &&
    before.version !== null &&
    (content.version === null || compareVersions(content.version, before.version) < 0);
  return {
    ...content,
    serial,
    issued,
    expires: issued + wholeSeconds(lifetimeMs),
    retreat: isBack ? serial : (before?.retreat ?? null),
  };
}

/** Whether the document goes back behind the one before. */
export function isStepBack({retreat, serial}: ChannelDocument): boolean {
  return retreat === serial;
}

function isSame(
  content: ChannelContent,
  {serial, issued, expires, retreat, ...rest}: ChannelDocument,
): boolean {
  void [serial, issued, expires, retreat];
  return JSON.stringify(sorted(content)) === JSON.stringify(sorted(rest));
}

/** Keys in one order, on the outermost level; within, both come from the same code. */
function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * What a host makes of a channel's signed metadata: pure. Two questions, one after the other: whether what was fetched can
 * be where the channel is now, given what this host saw of it before; and whether an offer fits it.
 *
 * What goes backwards is refused. What is missing, not signed by a trusted key or expired is a warning, and offers are
 * then held against what was last seen. Rejected: to refuse everything without a valid file. Whoever can spoil the file
 * can as well withhold it or the whole server; and a server whose key has changed, or whose clock is wrong, would take
 * from its fleet the very release that puts it right.
 */
import {type ChannelDocument, formatInstant, targetFor} from '../../formats/channel-metadata/document.ts';
import type {CodedError} from '../../formats/errors.ts';
import {compareVersions, isVersion} from '../../formats/version.ts';

export type Fetched =
  | {
      readonly kind: 'document';
      readonly document: ChannelDocument;
      readonly text: string;
      readonly digest: string;
    }
  /** It could not be had. */
  | {readonly kind: 'missing'; readonly error: CodedError<string>}
  /** There is something, and no trusted key stands for it, or it is of another channel. */
  | {readonly kind: 'untrusted'; readonly error: CodedError<string>};

/** What this host saw last of a channel, and never goes behind. */
export interface Seen {
  readonly document: ChannelDocument;
  readonly text: string;
  readonly digest: string;
}

export const FINDINGS = [
  'missing',
  'untrusted',
  'expired',
  'clock',
  /** A lower serial number than one that was seen. */
  'older',
  /** The serial number that was seen, on something else. */
  'forked',
  /** A later file that points to an older release, and nobody says that this is meant. */
  'moved-back',
  /** The channel has a release for this host, and the server offers nothing and does not say why. */
  'withheld',
] as const;
export type FindingCode = (typeof FINDINGS)[number];

export interface Finding {
  readonly code: FindingCode;
  /** For people. */
  readonly detail: string;
}

export interface Judgement {
  /** `backwards`: nothing is taken from this server now. `doubtful`: there is a warning. */
  readonly standing: 'current' | 'doubtful' | 'backwards';
  readonly findings: readonly Finding[];
  /** What offers are held against; null when nothing that can be believed was ever seen. */
  readonly basis: ChannelDocument | null;
  /** Whether `basis` is where the channel is now, as far as anyone can tell. */
  readonly isFresh: boolean;
  /** To be remembered from now on. */
  readonly seen: Seen | null;
}

export interface ChannelQuestion {
  readonly fetched: Fetched;
  readonly seen: Seen | null;
  /** Milliseconds since 1970, by this host's clock. */
  readonly now: number;
  /** When the running release was made; it cannot be earlier than that. Null when that is not known. */
  readonly madeAt: number | null;
}

const HOUR_MS = 60 * 60 * 1000;
/** Clocks differ, and times are cut to seconds. */
const CLOCK_TOLERANCE_MS = HOUR_MS;
const FORGET = 'if that is meant: caissonctl channel forget';

export function judgeChannel({fetched, seen, now, madeAt}: ChannelQuestion): Judgement {
  if (fetched.kind !== 'document') {
    const finding = {code: fetched.kind, detail: `${fetched.error.message}${lastSigned(seen)}`};
    return {standing: 'doubtful', findings: [finding], basis: seen?.document ?? null, isFresh: false, seen};
  }
  const {document} = fetched;
  const backwards = seen === null ? null : stepBack(fetched, seen);
  if (seen !== null && backwards !== null)
    return {standing: 'backwards', findings: [backwards], basis: seen.document, isFresh: false, seen};
  const findings = judgeTime(document, now, madeAt);
  return {
    standing: findings.length === 0 ? 'current' : 'doubtful',
    findings,
    basis: document,
    isFresh: findings.length === 0,
    seen: fetched,
  };
}

function stepBack({document, digest}: Seen, {document: before, digest: digestBefore}: Seen): Finding | null {
  const {channel, serial, issued, version} = document;
  if (serial < before.serial) {
    const detail =
      `channel ${channel} goes backwards: number ${serial}, signed ${formatInstant(issued)}, after number ` +
      `${before.serial}, signed ${formatInstant(before.issued)}; a stale mirror? ${FORGET}`;
    return {code: 'older', detail};
  }
  if (serial === before.serial) {
    if (digest === digestBefore) return null;
    const detail = `channel ${channel} was signed twice as number ${serial}, with different content; ${FORGET}`;
    return {code: 'forked', detail};
  }
  const isLower =
    before.version !== null && (version === null || compareVersions(version, before.version) < 0);
  const isMeant = document.retreat !== null && document.retreat > before.serial;
  if (!isLower || isMeant) return null;
  const detail =
    `channel ${channel} went back from ${before.version} to ${version ?? 'nothing'}, and its server does not say ` +
    `that this is meant; was its data restored from a copy? ${FORGET}`;
  return {code: 'moved-back', detail};
}

/** A clock that stands before the running release was made is wrong, and nothing is known about expiry then. */
function judgeTime(
  {channel, issued, expires}: ChannelDocument,
  now: number,
  madeAt: number | null,
): Finding[] {
  if (madeAt !== null && now < madeAt - CLOCK_TOLERANCE_MS) {
    const detail =
      `the clock says ${formatInstant(now)}, and the running release was made ${formatInstant(madeAt)}: ` +
      `there is no telling whether channel ${channel} is still as signed ${formatInstant(issued)}`;
    return [{code: 'clock', detail}];
  }
  if (now < issued - CLOCK_TOLERANCE_MS) {
    const detail =
      `channel ${channel} was signed ${formatInstant(issued)}, and the clock says ${formatInstant(now)}: ` +
      'one of the two clocks is wrong';
    return [{code: 'clock', detail}];
  }
  if (now < expires) return [];
  const detail =
    `channel ${channel} has not been signed anew since ${formatInstant(issued)}, and that held until ` +
    `${formatInstant(expires)}: a stale mirror?`;
  return [{code: 'expired', detail}];
}

function lastSigned(seen: Seen | null): string {
  return seen === null
    ? '; no signed state of the channel was ever seen'
    : `; the channel as it was signed ${formatInstant(seen.document.issued)} counts`;
}

/** Why nothing is taken from a folder of files, where nothing else speaks for the channel; null when it may be. */
export function folderRefusal({standing, findings}: Judgement): string | null {
  const isRefused = standing === 'backwards' || findings.some(({code}) => code === 'expired');
  return isRefused ? findings.map(({detail}) => detail).join('; ') : null;
}

export interface OfferedPayload {
  readonly version: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Why an offer is refused, for people; null when nothing speaks against it. `running` is the version of this host. */
export function judgeOffer(
  judgement: Judgement,
  {version, bytes, sha256}: OfferedPayload,
  {running, follower}: {readonly running: string; readonly follower: string},
): string | null {
  const {standing, findings, basis, isFresh} = judgement;
  if (standing === 'backwards') return findings.map(({detail}) => detail).join('; ');
  if (basis === null) return null;
  const where = `channel ${basis.channel}, as signed ${formatInstant(basis.issued)},`;
  if (basis.withdrawn.includes(version)) return `${where} has withdrawn it`;
  const listed = basis.releases.find((each) => each.version === version);
  if (listed === undefined) return judgeUnlisted(version, basis, isFresh, where);
  if (listed.sha256 !== sha256)
    return `${where} has it with SHA-256 ${listed.sha256}, and ${sha256} is offered`;
  if (listed.bytes !== bytes) return `${where} has it with ${listed.bytes} bytes, and ${bytes} are offered`;
  const isBack = isVersion(running) && compareVersions(version, running) < 0;
  return isBack && targetFor(basis, follower) !== version ? `${where} does not go back to it` : null;
}

/** What may have come after the last that was seen; but nothing that is older than where the channel was then. */
function judgeUnlisted(
  version: string,
  {version: target}: ChannelDocument,
  isFresh: boolean,
  where: string,
): string | null {
  if (isFresh) return `${where} does not have it`;
  if (!isVersion(version)) return `${where} does not have it`;
  if (target === null || compareVersions(version, target) > 0) return null;
  return `${where} does not have it, and was at ${target} already`;
}

/** For a host that is offered nothing, without a reason: whether the channel has something for it. */
export function withheld(
  {basis, isFresh}: Judgement,
  {running, follower}: {readonly running: string; readonly follower: string},
): {readonly version: string; readonly finding: Finding} | null {
  if (basis === null || !isFresh) return null;
  const version = targetFor(basis, follower);
  if (version === null || basis.withdrawn.includes(version)) return null;
  if (!isVersion(running) || compareVersions(version, running) <= 0) return null;
  const detail =
    `channel ${basis.channel} is at ${version}, signed ${formatInstant(basis.issued)}, and the server offers ` +
    'nothing and does not say why';
  return {version, finding: {code: 'withheld', detail}};
}

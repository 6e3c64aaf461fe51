/**
 * What a channel is at one moment, as its key signs it: a number that only grows, when it was signed and until when that
 * holds, the release that the channel points to, and every release that a host of it may be offered. See
 * docs/channel-metadata.md.
 *
 * Rejected: The Update Framework as a whole. Its root and targets roles are what the update key in /usr and the signed
 * payload already are here; what was missing is its timestamp, and this is that, with the list of a channel in it.
 */
import {CAISSON_APP_ID} from '../omaha/request.ts';
import {describeIssues, z} from '../schema.ts';
import {compareVersions, isVersion} from '../version.ts';
import {MAX_DOCUMENT_BYTES} from './envelope.ts';
import {ChannelMetadataError} from './errors.ts';

export const MAX_LISTED_RELEASES = 128;
export const MAX_LISTED_GROUPS = 500;
export const MAX_WITHDRAWN = 200;
const MAX_URLS = 8;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than any site goes without a word from its makers. */
export const MAX_LIFETIME_MS = 800 * DAY_MS;
const MAX_SPREAD_SECONDS = 90 * 24 * 60 * 60;

export const CHANNEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const version = z.string().refine(isVersion, 'not a version');
const name = z.string().regex(CHANNEL_NAME, 'not the name of a channel or group');
/** `2026-11-21T21:30:00Z`; here in milliseconds since 1970. */
const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'not a time such as 2026-11-21T21:30:00Z')
  .refine((text) => formatInstant(Date.parse(text)) === text, 'no such time')
  .transform((text) => Date.parse(text));
const serial = z.int().min(1);

const releaseSchema = z.strictObject({
  version,
  /** Of the payload. */
  bytes: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256'),
  /** Where the payload lies, most preferred first; relative ones count from the address of this file. */
  urls: z.array(z.string().min(1).max(1024)).min(1).max(MAX_URLS),
});

const documentSchema = z.strictObject({
  format: z.literal(1),
  /** The application of the update protocol, as in every request to an update server. */
  app: z.literal(CAISSON_APP_ID),
  channel: name,
  /** Groups that follow it; a host has the name of one of them, or of the channel, as its GROUP. */
  groups: z
    .array(
      z.strictObject({
        name,
        /** Another name of it, which hosts may have as their GROUP as well. */
        id: name.nullable(),
        /** What the group is headed for in place of the channel's release. */
        pin: version.nullable(),
      }),
    )
    .max(MAX_LISTED_GROUPS),
  /** Each is greater than every one before it that was signed for this channel. */
  serial,
  issued: instant,
  expires: instant,
  /** What the channel points to; null before it ever pointed anywhere. */
  version: version.nullable(),
  /** When it came to point there; null with that. */
  promoted: instant.nullable(),
  /** Whether hosts that run something newer are offered it, too. */
  allowDowngrade: z.boolean(),
  /** The serial number with which the channel was last moved back on purpose; null when it never was. */
  retreat: serial.nullable(),
  /** For hosts that follow this file alone: over how long after `promoted` their turns are spread. 0: at once. */
  spreadSeconds: z.int().min(0).max(MAX_SPREAD_SECONDS),
  /** Everything that a host of this channel may be offered. */
  releases: z.array(releaseSchema).max(MAX_LISTED_RELEASES),
  /** What it may not be offered any more. */
  withdrawn: z.array(version).max(MAX_WITHDRAWN),
});

export type ListedRelease = Readonly<z.infer<typeof releaseSchema>>;
export type ChannelDocument = Readonly<z.infer<typeof documentSchema>>;

/** Throws ChannelMetadataError 'bad-document'. */
export function parseChannelDocument(bytes: Uint8Array): ChannelDocument {
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw bad(`it has ${bytes.length} bytes, more than ${MAX_DOCUMENT_BYTES}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    throw bad('it is not JSON', error);
  }
  // A later format says so before it says anything else.
  const {format} = (value ?? {}) as {format?: unknown};
  if (typeof format === 'number' && format > 1)
    throw bad(`it has format ${format}, and this program knows format 1`);
  const result = documentSchema.safeParse(value);
  if (!result.success) throw bad(describeIssues(result.error));
  const problem = contradictionIn(result.data);
  if (problem !== null) throw bad(problem);
  return result.data;
}

/** Throws ChannelMetadataError 'bad-document' for what no reader would take. */
export function formatChannelDocument(document: ChannelDocument): Buffer {
  const {issued, expires, promoted, ...rest} = document;
  const bytes = Buffer.from(
    JSON.stringify({
      ...rest,
      issued: formatInstant(issued),
      expires: formatInstant(expires),
      promoted: promoted === null ? null : formatInstant(promoted),
    }),
  );
  parseChannelDocument(bytes);
  return bytes;
}

/** Seconds are cut off. */
export function formatInstant(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15
    ? new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
    : '';
}

function contradictionIn(document: ChannelDocument): string | null {
  const {issued, expires, releases, withdrawn, version: current, promoted, retreat, serial: own} = document;
  if (expires <= issued) return 'it expires before it was signed';
  if (expires - issued > MAX_LIFETIME_MS)
    return `it claims to hold for more than ${MAX_LIFETIME_MS / DAY_MS} days`;
  if ((current === null) !== (promoted === null)) return 'version and promoted belong together';
  if (retreat !== null && retreat > own) return 'it was moved back with a serial number to come';
  const versions = releases.map((each) => each.version);
  if (new Set(versions).size !== versions.length) return 'a release is listed twice';
  const gone = versions.find((each) => withdrawn.includes(each));
  if (gone !== undefined) return `${gone} is listed and withdrawn`;
  if (current !== null && !versions.includes(current) && !withdrawn.includes(current))
    return `it points to ${current}, which it does not list`;
  return null;
}

/** What hosts of this name are headed for; null when there is nothing. */
export function targetFor({groups, version: current}: ChannelDocument, follower: string): string | null {
  return groups.find((group) => isCalled(group, follower))?.pin ?? current;
}

/** Names are compared without regard to case, as servers do. */
export function isCalled({name: own, id}: {name: string; id: string | null}, follower: string): boolean {
  const wanted = follower.toLowerCase();
  return own.toLowerCase() === wanted || id?.toLowerCase() === wanted;
}

/** Newest first. */
export function newestFirst<T extends {readonly version: string}>(releases: readonly T[]): T[] {
  return [...releases].sort((a, b) => compareVersions(b.version, a.version));
}

function bad(problem: string, cause?: unknown): ChannelMetadataError {
  return new ChannelMetadataError(
    'bad-document',
    `the signed channel cannot be read: ${problem.slice(0, 400)}`,
    {
      cause,
    },
  );
}

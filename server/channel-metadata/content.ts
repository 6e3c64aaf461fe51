/** What a server or a folder has to say of a channel, before it gets a number and a date: pure. */
import {payloadUrl} from '../../formats/channel-metadata/channel-file.ts';
import {
  type ChannelDocument,
  MAX_LISTED_GROUPS,
  MAX_LISTED_RELEASES,
  MAX_WITHDRAWN,
  newestFirst,
} from '../../formats/channel-metadata/document.ts';
import {CAISSON_APP_ID} from '../../formats/omaha/request.ts';
import type {OfferedRelease} from '../omaha.ts';

export type ChannelContent = Omit<ChannelDocument, 'serial' | 'issued' | 'expires' | 'retreat'>;

export interface ChannelFacts {
  readonly name: string;
  readonly version: string | null;
  /** Milliseconds since 1970. */
  readonly promotedAt: number;
  readonly allowDowngrade: boolean;
  /** What it pointed to before, and what its groups may be led to besides. */
  readonly others: readonly string[];
  readonly groups: readonly {
    readonly name: string;
    readonly id: string | null;
    readonly pin: string | null;
  }[];
  readonly withdrawn: readonly string[];
  /** With payloads that can be had. */
  readonly releases: ReadonlyMap<string, OfferedRelease>;
  readonly spreadSeconds: number;
}

/** A release without a payload is not listed: what nobody can fetch need not be allowed. */
export function contentOf(facts: ChannelFacts): ChannelContent {
  const {name, groups, releases, spreadSeconds} = facts;
  const pins = groups.flatMap(({pin}) => pin ?? []);
  const withdrawn = newestFirst([...new Set(facts.withdrawn)].map((version) => ({version})))
    .slice(0, MAX_WITHDRAWN)
    .map(({version}) => version);
  const isListed = (version: string): boolean => releases.has(version) && !facts.withdrawn.includes(version);
  // What it points to now and where its groups are led comes first, should there be too many.
  const wanted = [...new Set([...(facts.version === null ? [] : [facts.version]), ...pins, ...facts.others])];
  const listed = wanted
    .filter(isListed)
    .slice(0, MAX_LISTED_RELEASES)
    .flatMap((version) => releases.get(version) ?? []);
  const isKnown = facts.version !== null && (isListed(facts.version) || withdrawn.includes(facts.version));
  const version = isKnown ? facts.version : null;
  return {
    format: 1,
    app: CAISSON_APP_ID,
    channel: name,
    groups: groups.slice(0, MAX_LISTED_GROUPS),
    version,
    promoted: version === null ? null : wholeSeconds(facts.promotedAt),
    allowDowngrade: facts.allowDowngrade,
    spreadSeconds,
    releases: newestFirst(
      listed.map(({version: each, bytes, sha256}) => ({
        version: each,
        bytes,
        sha256,
        urls: [payloadUrl(sha256)],
      })),
    ),
    withdrawn,
  };
}

export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

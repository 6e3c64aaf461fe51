/** What the page shows, as values: views are functions of these, and data.ts is the one place that gathers them. */
import type {Stop} from '../rollout/state.ts';
import type {Outcomes} from '../rollout/halt.ts';
import type {Progress} from '../rollout/member.ts';
import {PROGRESS_NAMES, type ProgressName} from '../rollout/tally.ts';
import type {TimelineEntry} from '../store/instances.ts';
import type {TokenRole} from '../store/tokens.ts';

/** Who looks at the page. */
export interface Viewer {
  /** Of the token. */
  readonly name: string;
  readonly role: TokenRole;
  /** Goes into every form. */
  readonly csrf: string;
}

export interface VersionCount {
  readonly version: string;
  readonly machines: number;
}

/** How many machines ran what, at a moment. */
export interface Sample {
  /** Milliseconds since 1970, as everywhere. */
  readonly at: number;
  readonly counts: readonly VersionCount[];
}

export interface GroupState {
  readonly name: string;
  readonly channel: string;
  /** What its machines shall run; null while the channel has nothing. */
  readonly target: string | null;
  readonly startedAt: number;
  readonly stopped: Stop | null;
  readonly counts: Readonly<Record<ProgressName, number>>;
  readonly outcomes: Outcomes;
  readonly machines: number;
  /** Ever granted the target. */
  readonly granted: number;
  /** Not heard of for `silentAfterMs`, whatever they were doing. */
  readonly silent: number;
  readonly silentAfterMs: number;
  /** Newest version first. */
  readonly versions: readonly VersionCount[];
}

export interface ChannelLine {
  readonly name: string;
  readonly version: string | null;
  readonly promotedAt: number;
  readonly promotedBy: string | null;
  /** When the release was published; null without one. */
  readonly publishedAt: number | null;
  readonly groups: readonly string[];
}

export interface Overview {
  readonly channels: readonly ChannelLine[];
  readonly groups: readonly GroupState[];
}

export interface GroupDetails {
  readonly state: GroupState;
  /** Lines for people. */
  readonly policy: readonly (readonly [string, string])[];
  /** Oldest first; the last one is now. */
  readonly samples: readonly Sample[];
  readonly range: RangeName;
}

export const RANGES = {day: 1, week: 7, month: 30, quarter: 90} as const;
export type RangeName = keyof typeof RANGES;

export interface InstanceLine {
  readonly id: string;
  readonly alias: string;
  readonly group: string;
  readonly version: string;
  readonly progress: Progress;
  readonly lastSeenAt: number;
}

export interface InstanceQuery {
  /** Part of an id or of an alias; empty for all. */
  readonly search: string;
  /** Of a group; null for all. */
  readonly group: string | null;
  readonly state: StateFilter | null;
  /** Only ids after that; empty for the first. */
  readonly after: string;
}

export const STATE_FILTERS = [...PROGRESS_NAMES, 'silent'] as const;
export type StateFilter = (typeof STATE_FILTERS)[number];

export interface InstancePage {
  readonly query: InstanceQuery;
  readonly lines: readonly InstanceLine[];
  /** On all pages. */
  readonly total: number;
  /** Where the next page begins; null on the last. */
  readonly next: string | null;
  readonly groups: readonly string[];
}

export interface InstanceDetails extends InstanceLine {
  readonly oem: string;
  readonly oemVersion: string;
  readonly alephVersion: string;
  readonly board: string;
  readonly firstSeenAt: number;
  readonly progressAt: number;
  readonly prefix: string;
  readonly setbacks: number;
  readonly timeline: readonly TimelineEntry[];
  /** Whether there is more than is shown. */
  readonly isCut: boolean;
}

export interface ReleaseLine {
  readonly version: string;
  readonly publishedAt: number;
  readonly bytes: number;
  readonly isWithdrawn: boolean;
  readonly channels: readonly string[];
  /** That run it. */
  readonly machines: number;
}

export interface ReleaseFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface PackageChange {
  readonly name: string;
  /** Null: it was not there. */
  readonly before: string | null;
  /** Null: it is gone. */
  readonly after: string | null;
}

export interface ReleaseDetails extends ReleaseLine {
  readonly sha256: string;
  /** Names of a token and of a key; empty where nobody knows. */
  readonly publishedBy: string;
  readonly signedBy: string;
  readonly withdrawnWhy: string;
  readonly notes: string | null;
  readonly sbomHref: string | null;
  readonly files: readonly ReleaseFile[];
  /** Against the release before; null when one of them says nothing of its packages. */
  readonly changes: {readonly since: string; readonly list: readonly PackageChange[]} | null;
  readonly packages: number | null;
  /** That the release may be promoted to, with what they have. */
  readonly allChannels: readonly ChannelLine[];
}

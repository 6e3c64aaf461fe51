/**
 * Gathers what the page shows. Counts come from the rollouts in memory, which have them ready; lists of machines come from
 * the store, a page at a time. Who is silent is counted by looking at all machines of a group, and not more often than
 * every ten seconds.
 */
import {parseRelease} from '../../formats/release.ts';
import {compareVersions} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';
import type {Hub} from '../hub/hub.ts';
import {type StoredGroup, listGroups} from '../store/groups.ts';
import {type Instance, ALL_INSTANCES, findInstance, listInstances, listTimeline} from '../store/instances.ts';
import {
  type StoredRelease,
  findRelease,
  listChannels,
  listPromotions,
  listReleases,
  readDocument,
} from '../store/releases.ts';
import {listSamples} from '../store/samples.ts';
import type {Database} from '../store/sql.ts';
import {newestFirst} from './chart.ts';
import {PAGE_PREFIX} from './layout.ts';
import {
  type ChannelLine,
  type GroupDetails,
  type GroupState,
  type InstanceDetails,
  type InstanceLine,
  type InstancePage,
  type InstanceQuery,
  type Overview,
  RANGES,
  type RangeName,
  type ReleaseDetails,
  type ReleaseFile,
  type ReleaseLine,
  type Sample,
  type VersionCount,
} from './model.ts';
import {type PackageList, comparePackages, readPackages} from './packages.ts';
import {describePolicy} from './policy-words.ts';

export interface PageData {
  overview(now: number): Promise<Overview>;
  /** Null for one that there is not; so below. */
  group(name: string, range: RangeName, now: number): Promise<GroupDetails | null>;
  instances(query: InstanceQuery, now: number): Promise<InstancePage>;
  instance(id: string): Promise<InstanceDetails | null>;
  releases(): Promise<readonly ReleaseLine[]>;
  release(version: string): Promise<ReleaseDetails | null>;
  sbom(version: string): Promise<string | null>;
}

/** A machine that asks every 45 minutes and was not heard of for three hours has missed several. */
const SILENT_AFTER_MS = 3 * 3_600_000;
const CENSUS_MS = 10_000;
const DAY_MS = 86_400_000;
const PAGE_LINES = 50;
const TIMELINE_LINES = 200;
/** Of releases, whose packages are read from some hundred KB each. */
const MAX_LISTS = 8;

export function createPageData(database: Database, hub: Hub): PageData {
  const census = new Map<string, {readonly at: number; readonly silent: number}>();
  const lists = new Map<string, PackageList | null>();

  function silentOf(name: string, now: number): number {
    const known = census.get(name);
    if (known !== undefined && Math.abs(now - known.at) < CENSUS_MS) return known.silent;
    let silent = 0;
    for (const {lastSeenAt} of hub.members(name)) if (lastSeenAt < now - SILENT_AFTER_MS) silent += 1;
    census.set(name, {at: now, silent});
    return silent;
  }

  function stateOf({name, channel}: StoredGroup, now: number): GroupState {
    const {state, counts, outcomes, granted, versions} = hub.summary(name);
    return {
      name,
      channel,
      target: state.target?.version ?? null,
      startedAt: state.startedAt,
      stopped: state.stopped,
      counts,
      outcomes,
      machines: Object.values(counts).reduce((sum, count) => sum + count, 0),
      granted,
      silent: silentOf(name, now),
      silentAfterMs: SILENT_AFTER_MS,
      versions: countsOf(versions),
    };
  }

  /** Machines that run each version, in all groups. */
  async function running(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const {name} of await listGroups(database))
      for (const [version, machines] of Object.entries(summaryOf(name)?.versions ?? {}))
        sums.set(version, (sums.get(version) ?? 0) + machines);
    return sums;
  }

  /** Null for a group that was made a moment ago and is not at work yet. */
  function summaryOf(name: string): ReturnType<Hub['summary']> | null {
    try {
      return hub.summary(name);
    } catch (error) {
      if (error instanceof ServerError && error.code === 'no-group') return null;
      throw error;
    }
  }

  async function channelLines(): Promise<readonly ChannelLine[]> {
    const [channels, groups, releases] = [
      await listChannels(database),
      await listGroups(database),
      await listReleases(database),
    ];
    const lines = channels.map(async ({name, version, promotedAt}): Promise<ChannelLine> => {
      const [latest] = await listPromotions(database, name, 1);
      return {
        name,
        version,
        promotedAt,
        promotedBy: latest?.by ?? null,
        publishedAt: releases.find((release) => release.version === version)?.publishedAt ?? null,
        groups: groups.filter(({channel}) => channel === name).map((group) => group.name),
      };
    });
    return Promise.all(lines);
  }

  async function packagesOf(version: string): Promise<PackageList | null> {
    const known = lists.get(version);
    if (known !== undefined) return known;
    const sbom = await readDocument(database, version, 'sbom');
    const list = sbom === null ? null : readPackages(sbom);
    const [oldest] = lists.keys();
    if (lists.size >= MAX_LISTS && oldest !== undefined) lists.delete(oldest);
    // A release of the folder may get its documents later.
    if (list !== null) lists.set(version, list);
    return list;
  }

  async function filesOf(version: string): Promise<readonly ReleaseFile[]> {
    const manifest = await readDocument(database, version, 'manifest');
    if (manifest === null) return [];
    try {
      return Object.entries(parseRelease(manifest, version).files).map(([name, {bytes, sha256}]) => ({
        name,
        bytes,
        sha256,
      }));
    } catch {
      // Of a build that is newer than this server.
      return [];
    }
  }

  function releaseLine(
    {version, publishedAt, bytes, isWithdrawn}: StoredRelease,
    channels: readonly ChannelLine[],
    sums: ReadonlyMap<string, number>,
  ): ReleaseLine {
    return {
      ...{version, publishedAt, bytes, isWithdrawn},
      channels: channels.filter((channel) => channel.version === version).map(({name}) => name),
      machines: sums.get(version) ?? 0,
    };
  }

  return {
    async overview(now) {
      const groups = (await listGroups(database)).filter(({name}) => summaryOf(name) !== null);
      return {channels: await channelLines(), groups: groups.map((group) => stateOf(group, now))};
    },
    async group(name, range, now) {
      const stored = (await listGroups(database)).find((group) => group.name === name);
      if (stored === undefined || summaryOf(name) === null) return null;
      const state = stateOf(stored, now);
      const kept = await listSamples(database, stored.id, now - RANGES[range] * DAY_MS);
      const samples = new Map<number, VersionCount[]>();
      for (const {at, version, machines} of kept)
        samples.set(at, [...(samples.get(at) ?? []), {version, machines}]);
      const past: readonly Sample[] = [...samples]
        .filter(([at]) => at < now)
        .map(([at, counts]) => ({at, counts}));
      return {
        state,
        policy: describePolicy(stored.policy),
        samples: [...past, {at: now, counts: state.versions}],
        range,
      };
    },
    async instances(query, now) {
      const {search, group, state, after} = query;
      const isSilent = state === 'silent';
      const found = await listInstances(
        database,
        {
          ...ALL_INSTANCES,
          ...{search, group, after},
          progress: state === null || isSilent ? null : state,
          silentSince: isSilent ? now - SILENT_AFTER_MS : null,
        },
        PAGE_LINES,
      );
      const groups = (await listGroups(database)).map(({name}) => name);
      return {query, lines: found.instances.map(lineOf), total: found.total, next: found.next, groups};
    },
    async instance(id) {
      const found = await findInstance(database, id);
      if (found === null) return null;
      const timeline = await listTimeline(database, id, {limit: TIMELINE_LINES + 1, offset: 0});
      const {facts, member} = found;
      const {oem, oemVersion, alephVersion, board, firstSeenAt} = facts;
      const {progressAt, prefix, setbacks} = member;
      return {
        ...lineOf(found),
        ...{oem, oemVersion, alephVersion, board, firstSeenAt, progressAt, prefix, setbacks},
        timeline: timeline.slice(0, TIMELINE_LINES),
        isCut: timeline.length > TIMELINE_LINES,
      };
    },
    async releases() {
      const [channels, sums] = [await channelLines(), await running()];
      return (await listReleases(database)).map((release) => releaseLine(release, channels, sums));
    },
    async release(version) {
      const stored = await findRelease(database, version);
      if (stored === null) return null;
      const [channels, sums] = [await channelLines(), await running()];
      const packages = await packagesOf(version);
      const {sha256, publishedBy, signedBy, withdrawnWhy} = stored;
      return {
        ...releaseLine(stored, channels, sums),
        ...{sha256, publishedBy, signedBy, withdrawnWhy},
        notes: await readDocument(database, version, 'notes'),
        sbomHref:
          packages === null ? null : `${PAGE_PREFIX}releases/${encodeURIComponent(version)}/sbom.spdx.json`,
        files: await filesOf(version),
        changes: packages === null ? null : await changesTo(version, packages),
        packages: packages?.size ?? null,
        allChannels: channels,
      };
    },
    sbom: (version) => readDocument(database, version, 'sbom'),
  };

  /** Against the newest release before it that says what it has. */
  async function changesTo(version: string, packages: PackageList): Promise<ReleaseDetails['changes']> {
    const older = (await listReleases(database)).filter((each) => compareVersions(each.version, version) < 0);
    for (const {version: since} of older.slice(0, MAX_LISTS)) {
      const before = await packagesOf(since);
      if (before !== null) return {since, list: comparePackages(before, packages)};
    }
    return null;
  }
}

function lineOf({groupName, facts, member}: Instance): InstanceLine {
  const {id, version, progress, lastSeenAt} = member;
  return {id, alias: facts.alias, group: groupName, version, progress, lastSeenAt};
}

function countsOf(versions: Readonly<Record<string, number>>): readonly VersionCount[] {
  return newestFirst(Object.keys(versions)).map((version) => ({version, machines: versions[version] ?? 0}));
}

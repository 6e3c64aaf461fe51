/** Payloads and the database held against each other: releases whose payload is gone, and payloads of no release. */
import {type ReleaseState, servedOf} from '../releases.ts';
import {listChannels, listReleases} from '../store/releases.ts';
import type {Database} from '../store/sql.ts';
import type {PayloadStore} from './payload-store.ts';

/** A sentence for each that a channel points to. */
export async function findMissingPayloads(
  database: Database,
  payloads: PayloadStore,
  folder: readonly ReleaseState[],
): Promise<readonly string[]> {
  const channels = await listChannels(database);
  const lines: string[] = [];
  for (const {version, sha256, isWithdrawn} of await listReleases(database)) {
    const names = channels.filter((channel) => channel.version === version).map(({name}) => name);
    if (isWithdrawn || names.length === 0 || (await payloads.find(sha256)) !== null) continue;
    if (servedOf(folder).some((release) => release.sha256 === sha256)) continue;
    lines.push(
      `The payload of ${version} is gone, and ${names.join(', ')} points to it: caisson publish ${version} brings it back`,
    );
  }
  return lines;
}

/** What was broken off, or left behind by a server that was killed while it removed a release. */
export async function sweepPayloads(
  database: Database,
  payloads: PayloadStore,
  untouchedSince: number,
): Promise<readonly string[]> {
  const known = (await listReleases(database)).map(({sha256}) => sha256);
  return payloads.sweep(untouchedSince, new Set(known));
}

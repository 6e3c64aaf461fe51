/** Releases and channels in the store. What was promoted stays known, for hosts that are pinned to an older series. */
import {compareVersions} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';
import type {OfferedRelease} from '../omaha.ts';
import type {Database} from './sql.ts';

export interface StoredRelease extends OfferedRelease {
  readonly publishedAt: number;
  /** It stays known, and nobody is offered it. */
  readonly isWithdrawn: boolean;
}

export interface StoredChannel {
  readonly name: string;
  /** Null before the first promotion. */
  readonly version: string | null;
  readonly allowDowngrade: boolean;
  readonly promotedAt: number;
}

export interface StorePromotion {
  readonly channel: string;
  readonly version: string;
  readonly allowDowngrade: boolean;
  readonly at: number;
  /** Who did it, by the name of a token. */
  readonly by: string;
}

/** A release is what its bytes are: the same again changes nothing. Throws ServerError 'other-bytes' for others. */
export async function addRelease(
  database: Database,
  {version, bytes, sha256, sha1}: OfferedRelease,
  now: number,
): Promise<void> {
  await database
    .insertInto('releases')
    .values({version, bytes, sha256, sha1, published_at: now, is_withdrawn: false})
    .onConflict((conflict) => conflict.column('version').doNothing())
    .execute();
  const known = await database
    .selectFrom('releases')
    .select('sha256')
    .where('version', '=', version)
    .executeTakeFirst();
  if (known?.sha256 === sha256) return;
  throw new ServerError(
    'other-bytes',
    `release ${version} is published with SHA-256 ${known?.sha256 ?? '?'}, not ${sha256}`,
    {hint: 'a version is published once; build the change as a new version'},
  );
}

/** Newest version first. */
export async function listReleases(database: Database): Promise<readonly StoredRelease[]> {
  const rows = await database.selectFrom('releases').selectAll().execute();
  return rows
    .map(({published_at, is_withdrawn, ...same}) => ({
      ...same,
      publishedAt: published_at,
      isWithdrawn: is_withdrawn,
    }))
    .sort((a, b) => compareVersions(b.version, a.version));
}

/** One that is there stays as it is. */
export async function addChannel(database: Database, name: string): Promise<void> {
  await database
    .insertInto('channels')
    .values({name, version: null, allow_downgrade: false, promoted_at: 0})
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
}

export async function listChannels(database: Database): Promise<readonly StoredChannel[]> {
  const rows = await database.selectFrom('channels').selectAll().orderBy('name').execute();
  return rows.map(({name, version, allow_downgrade, promoted_at}) => ({
    name,
    version,
    allowDowngrade: allow_downgrade,
    promotedAt: promoted_at,
  }));
}

/**
 * Points a channel to a release, whole or not at all. Throws ServerError 'no-channel', 'no-release', and 'older' when that
 * is backwards and not meant.
 */
export async function promoteChannel(
  database: Database,
  {channel: name, version, allowDowngrade, at, by}: StorePromotion,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const channel = await transaction
      .selectFrom('channels')
      .selectAll()
      .where('name', '=', name)
      .forUpdate()
      .executeTakeFirst();
    if (channel === undefined) throw new ServerError('no-channel', `there is no channel ${name}`);
    const release = await transaction
      .selectFrom('releases')
      .select('is_withdrawn')
      .where('version', '=', version)
      .executeTakeFirst();
    if (release === undefined) throw new ServerError('no-release', `release ${version} was never published`);
    if (release.is_withdrawn) throw new ServerError('no-release', `release ${version} was withdrawn`);
    const before = channel.version;
    if (before !== null && compareVersions(version, before) < 0 && !allowDowngrade)
      throw new ServerError('older', `${name} is at ${before}, and ${version} is older`);
    await transaction
      .updateTable('channels')
      .set({version, allow_downgrade: allowDowngrade, promoted_at: at})
      .where('name', '=', name)
      .execute();
    await transaction
      .insertInto('promotions')
      .values({channel: name, version, allow_downgrade: allowDowngrade, at, by})
      .execute();
  });
}

/** Newest first, the present one included. */
export async function listPromotions(
  database: Database,
  channel: string,
  limit: number,
): Promise<readonly StorePromotion[]> {
  const rows = await database
    .selectFrom('promotions')
    .selectAll()
    .where('channel', '=', channel)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({version, allow_downgrade, at, by}) => ({
    channel,
    version,
    allowDowngrade: allow_downgrade,
    at,
    by,
  }));
}

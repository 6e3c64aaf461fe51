/** Releases and channels in the store. What was promoted stays known, for hosts that are pinned to an older series. */
import {compareVersions} from '../../formats/version.ts';
import {ServerError} from '../errors.ts';
import type {OfferedRelease} from '../omaha.ts';
import {type Database, sql} from './sql.ts';
import type {ReleaseTable} from './tables.ts';

export interface StoredRelease extends OfferedRelease {
  readonly publishedAt: number;
  /** Name of a token. */
  readonly publishedBy: string;
  /** Name of the key that signed its manifest; empty for one that was taken from the folder. */
  readonly signedBy: string;
  /** It stays known, and nobody is offered it. */
  readonly isWithdrawn: boolean;
  /** Empty unless it was withdrawn. */
  readonly withdrawnWhy: string;
}

/** What is kept of a release beside its payload, each a text. */
export const DOCUMENT_NAMES = ['manifest', 'signatures', 'sbom', 'lock', 'notes'] as const;
export type DocumentName = (typeof DOCUMENT_NAMES)[number];
export type Documents = Readonly<Partial<Record<DocumentName, string>>>;

export interface Publication {
  readonly by: string;
  readonly signedBy: string;
  readonly documents: Documents;
}

const FROM_FOLDER: Publication = {by: '', signedBy: '', documents: {}};

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

/**
 * A release is what its bytes are: the same again changes nothing but its documents, and brings one back that was
 * removed. Whole or not at all. Throws ServerError 'other-bytes' for others.
 */
export async function addRelease(
  database: Database,
  {version, bytes, sha256, sha1}: OfferedRelease,
  now: number,
  {by, signedBy, documents}: Publication = FROM_FOLDER,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('releases')
      .values({
        ...{version, bytes, sha256, sha1, published_at: now, published_by: by, signed_by: signedBy},
        ...{is_withdrawn: false, withdrawn_why: '', removed_at: null},
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const same = await requireSameBytes(transaction, version, sha256);
    if (same !== null && same.removedAt !== null)
      await transaction
        .updateTable('releases')
        .set({removed_at: null, is_withdrawn: false, withdrawn_why: '', published_at: now, published_by: by})
        .where('version', '=', version)
        .execute();
    if (Object.keys(documents).length === 0) return;
    await transaction
      .updateTable('releases')
      .set({signed_by: signedBy, ...(by === '' ? {} : {published_by: by})})
      .where('version', '=', version)
      .execute();
    for (const [name, content] of Object.entries(documents))
      await transaction
        .insertInto('release_documents')
        .values({version, name, content})
        .onConflict((conflict) => conflict.columns(['version', 'name']).doUpdateSet({content}))
        .execute();
  });
}

/** Null for a version that is new, as its bytes are. Throws ServerError 'other-bytes'. */
export async function requireSameBytes(
  database: Database,
  version: string,
  sha256: string,
): Promise<{readonly removedAt: number | null} | null> {
  const known = await database
    .selectFrom('releases')
    .select(['version', 'sha256', 'removed_at'])
    .where((where) => where.or([where('version', '=', version), where('sha256', '=', sha256)]))
    .execute();
  const published = known.find((each) => each.version === version);
  if (published?.sha256 === sha256) return {removedAt: published.removed_at};
  if (published !== undefined)
    throw new ServerError(
      'other-bytes',
      `release ${version} is published with SHA-256 ${published.sha256}, not ${sha256}`,
      {hint: 'a version is published once; build the change as a new version'},
    );
  const [other] = known;
  if (other === undefined) return null;
  throw new ServerError('other-bytes', `the bytes ${sha256} are published as release ${other.version}`);
}

/** Newest version first; without those that were removed. */
export async function listReleases(database: Database): Promise<readonly StoredRelease[]> {
  const rows = await database.selectFrom('releases').selectAll().where('removed_at', 'is', null).execute();
  return rows.map(releaseOf).sort((a, b) => compareVersions(b.version, a.version));
}

/** Null for one that is not known, or was removed. */
export async function findRelease(database: Database, version: string): Promise<StoredRelease | null> {
  const row = await database
    .selectFrom('releases')
    .selectAll()
    .where('version', '=', version)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : releaseOf(row);
}

function releaseOf({version, bytes, sha256, sha1, ...row}: ReleaseTable): StoredRelease {
  return {
    ...{version, bytes, sha256, sha1},
    publishedAt: row.published_at,
    publishedBy: row.published_by,
    signedBy: row.signed_by,
    isWithdrawn: row.is_withdrawn,
    withdrawnWhy: row.withdrawn_why,
  };
}

/** Null for one that the release does not have. */
export async function readDocument(
  database: Database,
  version: string,
  name: DocumentName,
): Promise<string | null> {
  const row = await database
    .selectFrom('release_documents')
    .select('content')
    .where('version', '=', version)
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.content ?? null;
}

/** Names and sizes in bytes of UTF-8. */
export async function listDocuments(
  database: Database,
  version: string,
): Promise<readonly {readonly name: string; readonly bytes: number}[]> {
  return database
    .selectFrom('release_documents')
    .select(['name', sql<number>`octet_length(content)`.as('bytes')])
    .where('version', '=', version)
    .orderBy('name')
    .execute();
}

/** Says whether it changes anything. Throws ServerError 'no-release'. */
export async function setWithdrawn(
  database: Database,
  version: string,
  why: string | null,
): Promise<boolean> {
  const known = await findRelease(database, version);
  if (known === null) throw new ServerError('no-release', `release ${version} was never published`);
  await database
    .updateTable('releases')
    .set({is_withdrawn: why !== null, withdrawn_why: why ?? ''})
    .where('version', '=', version)
    .execute();
  return known.isWithdrawn !== (why !== null);
}

/**
 * Takes all of a release but its hash. Throws ServerError 'no-release', and 'in-use' while a channel points to it.
 */
export async function removeRelease(
  database: Database,
  version: string,
  now: number,
): Promise<StoredRelease> {
  return database.transaction().execute(async (transaction) => {
    // Whoever points a channel to it waits.
    await transaction
      .selectFrom('releases')
      .select('version')
      .where('version', '=', version)
      .forUpdate()
      .execute();
    const known = await findRelease(transaction, version);
    if (known === null) throw new ServerError('no-release', `release ${version} was never published`);
    const channels = await transaction
      .selectFrom('channels')
      .select('name')
      .where('version', '=', version)
      .orderBy('name')
      .execute();
    if (channels.length > 0) {
      const names = channels.map(({name}) => name).join(', ');
      throw new ServerError('in-use', `release ${version} is what ${names} points to`, {
        hint: 'point the channel to another release first; to stop offering it at once, withdraw it',
      });
    }
    await transaction.deleteFrom('release_documents').where('version', '=', version).execute();
    await transaction
      .updateTable('releases')
      .set({removed_at: now, is_withdrawn: true})
      .where('version', '=', version)
      .execute();
    return known;
  });
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
      .where('removed_at', 'is', null)
      .forUpdate()
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

/** So far back hosts are given what a channel once pointed to: what is offered and what is signed must not differ. */
const MAX_PAST_PROMOTIONS = 100;

/** Newest first, the present one included. */
export async function listPromotions(
  database: Database,
  channel: string,
  limit = MAX_PAST_PROMOTIONS,
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

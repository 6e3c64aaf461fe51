/** Points a channel to a release: one that was uploaded, or one of the folder, which becomes known by that. */
import {dirname} from 'node:path';
import {ServerError} from '../errors.ts';
import type {Hub} from '../hub/hub.ts';
import type {ReleaseFolder, ReleaseState, ServedRelease} from '../releases.ts';
import {type StoredRelease, addChannel, addRelease, findRelease, promoteChannel} from '../store/releases.ts';
import {type CheckedDocuments, checkDocuments, readDocuments} from './documents.ts';
import type {PublishTools} from './publish.ts';

export interface PromoteTools extends PublishTools {
  readonly hub: Hub;
  readonly folder: ReleaseFolder;
  readonly signal: AbortSignal;
}

export interface PromotionRequest {
  readonly channel: string;
  readonly version: string;
  readonly allowDowngrade: boolean;
  readonly by: string;
}

/** The payload is looked at anew, by the keys of today. Throws ServerError, and what `vouch` throws. */
export async function promoteRelease(
  {channel, version, allowDowngrade, by}: PromotionRequest,
  tools: PromoteTools,
): Promise<StoredRelease> {
  const {database, hub, now} = tools;
  const stored = await findRelease(database, version);
  if (stored?.isWithdrawn === true)
    throw new ServerError('no-release', `release ${version} was withdrawn: ${stored.withdrawnWhy}`, {
      hint: `caisson release restore ${version}`,
    });
  const uploaded = stored === null ? null : await tools.payloads.find(stored.sha256);
  if (uploaded === null) await takeFromFolder(version, by, tools);
  else await tools.vouch({version, path: uploaded.path, bytes: uploaded.bytes});
  await addChannel(database, channel);
  await promoteChannel(database, {channel, version, allowDowngrade, at: now(), by});
  await hub.refresh(now());
  const promoted = await findRelease(database, version);
  if (promoted === null) throw new ServerError('no-release', `release ${version} was removed meanwhile`);
  return promoted;
}

async function takeFromFolder(version: string, by: string, tools: PromoteTools): Promise<void> {
  const {database, folder, vouch, now, signal} = tools;
  const found = (await folder.scan(signal)).find((state) => versionOf(state) === version);
  if (found === undefined)
    throw new ServerError('no-release', `there is no release ${version}`, {
      hint: `caisson publish ${version}; or put it into the folder of --dir`,
    });
  if (found.kind === 'unfit')
    throw new ServerError('no-release', `release ${version} cannot be offered: ${found.reason}`);
  await vouch(found.release);
  const {documents, signer} = await documentsOf(found.release, tools);
  await addRelease(database, found.release, now(), {by, signedBy: signer?.name ?? '', documents});
}

/** Without a signature there are none: the page shows nothing that nobody vouches for. */
async function documentsOf(
  {path, version}: ServedRelease,
  {trustedKeys}: PromoteTools,
): Promise<Partial<CheckedDocuments> & {readonly documents: Awaited<ReturnType<typeof readDocuments>>}> {
  const documents = await readDocuments(dirname(dirname(path)));
  if (documents.signatures === undefined) return {documents: {}};
  return {documents, ...checkDocuments(version, documents, await trustedKeys())};
}

function versionOf(state: ReleaseState): string {
  return state.kind === 'served' ? state.release.version : state.version;
}

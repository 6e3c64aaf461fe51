/**
 * Channels as a folder of files that any web server can carry: payloads first, each under its hash, then the signed file
 * of the channel in one rename, so that whoever reads meanwhile, or after a power cut, finds nothing half. Done again it
 * changes nothing but the signatures that have come of age.
 */
import type {KeyObject} from 'node:crypto';
import {copyFile, link, mkdir, readdir, rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {payloadPath, rereadChannel} from '../../formats/channel-metadata/channel-file.ts';
import type {ChannelDocument} from '../../formats/channel-metadata/document.ts';
import {pathExists, sha256File, syncDirectory, withFile} from '../../platform/files.ts';
import {readChannels} from '../channel-file.ts';
import type {ChannelName} from '../channels.ts';
import {ServerError} from '../errors.ts';
import {type ReleaseFolder, type ServedRelease, identityOf} from '../releases.ts';
import {channelFolder} from './folder.ts';
import {folderContent, servedByVersion} from './folder-channels.ts';
import {type RenewSettings, isStepBack} from './renew.ts';
import {createChannelSigner} from './signer.ts';

export interface ExportOptions {
  /** Of releases, with channels.json. */
  readonly from: string;
  readonly releases: ReleaseFolder;
  readonly to: string;
  readonly channels: readonly ChannelName[];
  readonly keys: readonly KeyObject[];
  readonly settings: RenewSettings;
  readonly spreadSeconds: number;
  /** Whether a channel may point to an older release than in the export before. */
  readonly allowDowngrade: boolean;
  /** Whether payloads go that no channel of the folder names any more. */
  readonly prune: boolean;
  /** Throws when hosts would refuse its payload. */
  readonly vouch: (release: ServedRelease) => Promise<unknown>;
  readonly now: () => number;
  readonly onLine: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface Exported {
  readonly channels: readonly ChannelDocument[];
  /** SHA-256 of payloads that came anew, and of those that went. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Throws ServerError, ChannelMetadataError for a channel file that is there and is none, and what files throw. */
export async function exportChannels(options: ExportOptions): Promise<Exported> {
  const {from, releases, to, keys, settings, now, onLine, signal} = options;
  const channels = await readChannels(from);
  const states = await releases.scan(signal);
  const served = servedByVersion(states);
  const signer = createChannelSigner({
    ...{keys, kept: channelFolder(to), settings, now, onLine},
    mayFollow: (document, before) => requireMeant(document, before, options, channels),
  });
  const documents: ChannelDocument[] = [];
  const added: string[] = [];
  for (const name of options.channels) {
    const content = folderContent(name, channels, states, options.spreadSeconds);
    if (content === null)
      throw new ServerError('no-channel', `channel ${name} points nowhere yet: caisson promote`);
    if (content.version === null)
      throw new ServerError(
        'no-release',
        `channel ${name} points to a release whose payload is not in ${from}`,
      );
    for (const {version, sha256} of content.releases) {
      const release = served.get(version);
      if (release === undefined || (await pathExists(join(to, payloadPath(sha256))))) continue;
      await options.vouch(release);
      await bring(release, join(to, payloadPath(sha256)), signal);
      added.push(sha256);
    }
    documents.push((await signer.sign(content)).document);
  }
  const removed = options.prune ? await prune(to) : [];
  return {channels: documents, added, removed};
}

/** channels.json was moved back on purpose, or this is an older copy of it. */
function requireMeant(
  document: ChannelDocument,
  before: ChannelDocument | null,
  {allowDowngrade, from}: ExportOptions,
  channels: Awaited<ReturnType<typeof readChannels>>,
): void {
  if (before === null || !isStepBack(document) || allowDowngrade) return;
  const channel = channels[document.channel as ChannelName];
  if (channel?.allowDowngrade === true) return;
  throw new ServerError(
    'older',
    `${document.channel} was exported at ${before.version ?? 'nothing'}, and is at ${document.version ?? 'nothing'} in ${from}`,
    {
      hint: 'is it the right folder? with --allow-downgrade the export goes back, and hosts are told that it is meant',
    },
  );
}

/** A name of its own while it comes, then its own: a payload that is there is whole. */
async function bring(release: ServedRelease, to: string, signal: AbortSignal): Promise<void> {
  const temporary = `${to}.part`;
  await mkdir(dirname(to), {recursive: true});
  await rm(temporary, {force: true});
  try {
    await link(release.path, temporary);
  } catch {
    // Another file system, or one without links.
    await copyFile(release.path, temporary);
    await withFile(temporary, 'r+', (file) => file.sync());
    if ((await sha256File(temporary, signal)) !== release.sha256)
      throw new ServerError('no-release', `${release.path} changes while it is copied`, {retryable: true});
  }
  if ((await identityOf(release.path)) !== release.identity)
    throw new ServerError('no-release', `${release.path} was replaced while it was exported`, {
      retryable: true,
    });
  await rename(temporary, to);
  await syncDirectory(dirname(to));
  await syncDirectory(dirname(dirname(to)));
}

async function prune(to: string): Promise<string[]> {
  const kept = channelFolder(to);
  const files = (await readdir(join(to, 'channels'))).filter((name) =>
    /^[A-Za-z0-9][\w.-]*\.json$/.test(name),
  );
  const named = new Set<string>();
  for (const file of files) {
    const bytes = await kept.read(file.replace(/\.json$/, ''));
    if (bytes !== null) for (const {sha256} of rereadChannel(bytes).document.releases) named.add(sha256);
  }
  const folder = join(to, 'payloads');
  const there = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const removed = there.filter((name) => !named.has(name));
  for (const name of removed) await rm(join(folder, name), {recursive: true});
  return removed;
}

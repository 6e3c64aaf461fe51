/** channels.json in the folder of releases: read anew whenever it is asked for, replaced as a whole. */
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {writeFileAtomic} from '../platform/files.ts';
import {withChannelLock} from './channel-lock.ts';
import {type Channels, type Promotion, formatChannels, parseChannels, promote} from './channels.ts';
import {ServerError} from './errors.ts';
import {type ReleaseFolder, type ServedRelease, identityOf} from './releases.ts';

export const CHANNELS_FILE = 'channels.json';
const MAX_CHANNELS_BYTES = 1 << 20;

/** No channel points anywhere while there is no file. Throws ServerError 'bad-channels'. */
export async function readChannels(dir: string): Promise<Channels> {
  const path = join(dir, CHANNELS_FILE);
  const info = await stat(path).catch((error: unknown) => {
    if ((error as {code?: unknown}).code === 'ENOENT') return null;
    throw error;
  });
  if (info === null) return {};
  if (info.size > MAX_CHANNELS_BYTES)
    throw new ServerError('bad-channels', `${path} has ${info.size} bytes, more than ${MAX_CHANNELS_BYTES}`);
  return parseChannels(await readFile(path, 'utf8'), path);
}

/**
 * Points a channel to a release that hosts can install; servers that run notice. Of several at once each counts. `vouch`
 * throws to refuse a payload by its signatures, which the folder alone cannot judge. Throws ServerError, and what
 * `vouch` throws.
 */
export async function promoteRelease(
  dir: string,
  releases: ReleaseFolder,
  promotion: Promotion,
  signal: AbortSignal,
  vouch: (release: ServedRelease) => Promise<unknown> = () => Promise.resolve(),
): Promise<ServedRelease> {
  const {version} = promotion;
  const states = await releases.scan(signal);
  const found = states.find((state) => versionOf(state) === version);
  if (found === undefined) {
    throw new ServerError('no-release', `there is no release ${version} in ${dir}`, {
      hint: `there are ${states.map(versionOf).join(', ') || 'none'}`,
    });
  }
  if (found.kind === 'unfit')
    throw new ServerError('no-release', `release ${version} cannot be offered: ${found.reason}`);
  await vouch(found.release);
  if ((await identityOf(found.release.path)) !== found.release.identity)
    throw new ServerError('no-release', `${found.release.path} was replaced while it was checked`, {
      retryable: true,
    });
  await withChannelLock(dir, signal, async () => {
    const channels = promote(await readChannels(dir), promotion);
    await writeFileAtomic(join(dir, CHANNELS_FILE), formatChannels(channels));
  });
  return found.release;
}

function versionOf(state: Awaited<ReturnType<ReleaseFolder['scan']>>[number]): string {
  return state.kind === 'served' ? state.release.version : state.version;
}

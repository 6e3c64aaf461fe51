/** Which of the places a release may come from is meant, by the arguments and by what the running system follows. */
import {randomBytes, randomUUID} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {withFiles} from '../../platform/file-exchange.ts';
import {createHttpClient} from '../../platform/http.ts';
import type {Log} from '../../platform/log.ts';
import {readConf} from '../engine/conf.ts';
import {tryEachAddress} from '../omaha/payload-source.ts';
import {HOST_PATHS} from '../paths.ts';
import type {FollowedServer, InstallArguments} from './arguments.ts';
import {type EmbeddedAssets, readChannelKeys} from './assets.ts';
import {InstallerError} from './errors.ts';
import {originOfFolder} from './folder-source.ts';
import {type PayloadOrigin, originOfFile, originOfServer} from './sources.ts';

/** What the new host follows, too. */
export interface Followed {
  server: FollowedServer;
  channel: string;
}

/** Null for a file. Throws InstallerError 'usage' when nobody says which server. */
export async function followedBy({source, server}: InstallArguments): Promise<Followed | null> {
  if (source.kind === 'file') return null;
  const {settings} = await readConf(HOST_PATHS);
  const followed = server ?? settings.server;
  if (followed.kind === 'disabled')
    throw new InstallerError('usage', 'which update server? this system follows none', {
      hint: 'name it with --server URL, or a payload with --file',
    });
  // As a line of update.conf it must be one.
  return {
    server: {...followed, url: new URL(followed.url).href},
    channel: source.channel ?? settings.group,
  };
}

/**
 * `use` is called once more for each address that gives what is not the payload. Throws InstallerError, HttpError,
 * OmahaError, ChannelMetadataError, and what `use` threw last.
 */
export async function withOrigin<T>(
  {source, ca, oem, channelKeys}: InstallArguments,
  followed: Followed | null,
  assets: EmbeddedAssets | null,
  {signal, log}: {readonly signal: AbortSignal; readonly log: Log},
  use: (origin: PayloadOrigin) => Promise<T>,
): Promise<T> {
  if (source.kind === 'file') return use(originOfFile(source.path));
  if (followed === null) throw new Error('a release from a server without a server');
  const http = createHttpClient(ca === null ? {} : {ca: await readFile(ca, 'utf8')});
  try {
    const {server, channel} = followed;
    const question = {
      ...{http: withFiles(http), url: server.url, channel, version: source.version, signal},
      ...{random: Math.random, now: Date.now, onRetry: (text: string) => log.warn(text)},
      sleep: (ms: number, stop: AbortSignal) => sleep(ms, undefined, {signal: stop}),
    };
    const origin =
      server.kind === 'static'
        ? await originOfFolder({
            ...question,
            channelKeys: await readChannelKeys(channelKeys, assets),
            onWarning: (text) => log.warn(text),
          })
        : await originOfServer({
            ...question,
            machineId: randomBytes(16).toString('hex'),
            bootId: randomUUID(),
            oem: oem !== null && /^[a-z0-9][a-z0-9._-]*$/.test(oem) ? oem : '',
          });
    return await tryEachAddress(origin, question.onRetry, () => use(origin));
  } finally {
    await http.close();
  }
}

/** caisson channels, caisson promote */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {readChannels, promoteRelease} from '../server/channel-file.ts';
import {CHANNEL_NAMES, type ChannelName, type Channels} from '../server/channels.ts';
import {type ReleaseState, openReleaseFolder} from '../server/releases.ts';
import type {NamedKey} from '../payload/inspection.ts';
import {formatBytes, formatMinute} from '../formats/units.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {publicKeysOrDefault, trustedKeyOption} from './payload/options.ts';
import {vouchFor} from './vouch.ts';

const DIR_OPTION = {
  type: 'string',
  default: DEFAULT_OUT_DIR,
  defaultDescription: 'out/',
  describe: 'The folder of releases',
} as const;
const JSON_OPTION = {type: 'boolean', default: false, describe: 'Print JSON'} as const;

interface ChannelsArguments {
  dir: string;
  json: boolean;
}

export function channelsCommand(signal: AbortSignal): CommandModule<object, ChannelsArguments> {
  return {
    command: 'channels',
    describe: 'Show the channels and releases of a folder for `serve` (of a server: channel)',
    builder: (yargs) => yargs.option('dir', DIR_OPTION).option('json', JSON_OPTION),
    handler: async ({dir, json}) => {
      const channels = await readChannels(resolve(dir));
      const releases = await openReleaseFolder(resolve(dir)).scan(signal);
      const text = json
        ? JSON.stringify({channels, releases: releases.map(toJson)}, undefined, 2)
        : [...channelLines(channels), '', ...releaseLines(releases)].join('\n');
      process.stdout.write(`${text}\n`);
    },
  };
}

interface PromoteArguments {
  version: string;
  channel: ChannelName;
  dir: string;
  key: string[];
  'allow-downgrade': boolean;
  json: boolean;
}

export function promoteCommand(signal: AbortSignal): CommandModule<object, PromoteArguments> {
  return {
    command: 'promote <version> <channel>',
    describe: 'Point a channel of a folder for `serve` to a release (of a server: channel promote)',
    builder: (yargs) =>
      yargs
        .positional('version', {type: 'string', demandOption: true, describe: 'Of a release with a payload'})
        .positional('channel', {choices: CHANNEL_NAMES, demandOption: true, describe: 'The channel'})
        .option('dir', DIR_OPTION)
        .option('key', trustedKeyOption('the payload'))
        .option('allow-downgrade', {
          type: 'boolean',
          default: false,
          describe: 'Also to hosts that run a newer one, if they have ALLOW_DOWNGRADE=true',
        })
        .option('json', JSON_OPTION)
        .example('$0 promote 0.2.0 alpha', 'after its payload was found whole, and signed by a key in keys/')
        .example('$0 promote 0.2.0 beta --key first.pub.pem --key next.pub.pem', 'signed by one of these'),
    handler: async ({version, channel, dir, key, json, 'allow-downgrade': allowDowngrade}) => {
      const folder = resolve(dir);
      const keys = await publicKeysOrDefault(key);
      const promotion = {version, channel, allowDowngrade, at: Date.now()};
      const signers: NamedKey[] = [];
      const {bytes, sha256} = await promoteRelease(
        folder,
        openReleaseFolder(folder),
        promotion,
        signal,
        async (release) => {
          signers.push(await vouchFor(release, keys, signal));
        },
      );
      const signedBy = signers.map(({name}) => name).join();
      const text = json
        ? JSON.stringify({version, channel, bytes, sha256, allowDowngrade, signedBy}, undefined, 2)
        : `${channel} is at ${version} now (${formatBytes(bytes)}, SHA-256 ${sha256}, signed by ${signedBy})`;
      process.stdout.write(`${text}\n`);
    },
  };
}

function channelLines(channels: Channels): string[] {
  return CHANNEL_NAMES.map((name) => {
    const channel = channels[name];
    if (channel === undefined) return `${name.padEnd(7)} -`;
    const note = channel.allowDowngrade ? ', also to hosts with a newer one' : '';
    return `${name.padEnd(7)} ${channel.version}, since ${formatMinute(channel.promotedAt)} UTC${note}`;
  });
}

function releaseLines(releases: readonly ReleaseState[]): string[] {
  if (releases.length === 0) return ['There is no release'];
  return releases.map((state) =>
    state.kind === 'served'
      ? `${state.release.version}  ${formatBytes(state.release.bytes)}, SHA-256 ${state.release.sha256.slice(0, 16)}...`
      : `${state.version}  cannot be offered: ${state.reason}`,
  );
}

function toJson(state: ReleaseState): object {
  if (state.kind === 'unfit') return {version: state.version, offered: false, reason: state.reason};
  const {version, bytes, sha256} = state.release;
  return {version, offered: true, bytes, sha256};
}

/** caisson export */
import {mkdir} from 'node:fs/promises';
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {readDuration} from '../formats/reboot-settings-values.ts';
import {formatInstant} from '../formats/channel-metadata/document.ts';
import {exportChannels} from '../server/channel-metadata/export.ts';
import {readChannels} from '../server/channel-file.ts';
import {withChannelLock} from '../server/channel-lock.ts';
import {CHANNEL_NAMES, type ChannelName} from '../server/channels.ts';
import {openReleaseFolder} from '../server/releases.ts';
import {SIGNING_OPTIONS, type SigningArguments, readSigning} from './channel-signing.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {PayloadUsageError, publicKeysOrDefault, trustedKeyOption} from './payload/options.ts';
import {vouchFor} from './vouch.ts';

interface Arguments extends SigningArguments {
  folder: string;
  dir: string;
  channel: ChannelName[];
  key: string[];
  spread: string;
  prune: boolean;
  'allow-downgrade': boolean;
  json: boolean;
}

const MAX_SPREAD_MS = 90 * 24 * 60 * 60 * 1000;

export function exportCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'export <folder>',
    describe: 'Write signed channels and their payloads as files that any web server can carry',
    builder: (yargs) =>
      yargs
        .positional('folder', {
          type: 'string',
          demandOption: true,
          describe: 'Where to; made when it is missing',
        })
        .option('dir', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'The folder of releases, with the channels that caisson promote points',
        })
        .option('channel', {
          choices: CHANNEL_NAMES,
          array: true,
          default: [] as ChannelName[],
          defaultDescription: 'those that point somewhere',
          describe: 'May be repeated',
        })
        .option('key', trustedKeyOption('each payload'))
        .options(SIGNING_OPTIONS)
        .option('spread', {
          type: 'string',
          default: '0',
          describe: 'Over how long hosts take their turns after a promotion, for example 24h; 0: at once',
        })
        .option('prune', {
          type: 'boolean',
          default: false,
          describe: 'Remove payloads that no channel names any more',
        })
        .option('allow-downgrade', {
          type: 'boolean',
          default: false,
          describe: 'Also when a channel points to an older release than in the export before',
        })
        .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
        .example('$0 export /srv/www/caisson', 'hosts: SERVER=static+https://NAME/caisson/')
        .example(
          '$0 export /media/stick --channel stable --channel-expiry 90d',
          'hosts: SERVER=static+file:///media/stick/',
        ),
    handler: async (argv) => {
      const [from, to] = [resolve(argv.dir), resolve(argv.folder)];
      const signing = await readSigning(argv);
      if (signing === undefined)
        throw new PayloadUsageError('usage', 'there is no key to sign channels with', {
          hint: 'caisson keys --for channel makes one; --channel-key names one from elsewhere',
        });
      const pointing = await readChannels(from);
      const channels =
        argv.channel.length > 0 ? argv.channel : CHANNEL_NAMES.filter((name) => name in pointing);
      if (channels.length === 0)
        throw new PayloadUsageError('usage', `no channel of ${from} points to a release`, {
          hint: 'caisson promote',
        });
      const keys = await publicKeysOrDefault(argv.key);
      await mkdir(to, {recursive: true});
      const made = await withChannelLock(to, signal, () =>
        exportChannels({
          ...{from, to, channels, ...signing, signal},
          releases: openReleaseFolder(from),
          spreadSeconds: Math.round(readSpread(argv.spread) / 1000),
          allowDowngrade: argv['allow-downgrade'],
          prune: argv.prune,
          vouch: (release) => vouchFor(release, keys, signal),
          now: () => Date.now(),
          onLine: (text) => void process.stderr.write(`${text}\n`),
        }),
      );
      const lines = made.channels.map(
        ({channel, version, serial, expires}) =>
          `${channel} is at ${version ?? 'nothing'}, signed as number ${serial}, until ${formatInstant(expires)}`,
      );
      lines.push(`${made.added.length} payloads came, ${made.removed.length} went`);
      process.stdout.write(`${argv.json ? JSON.stringify(made, undefined, 2) : lines.join('\n')}\n`);
    },
  };
}

function readSpread(text: string): number {
  if (text === '0') return 0;
  const reading = readDuration(text, 1000, MAX_SPREAD_MS);
  if (reading.kind === 'value') return reading.value;
  throw new PayloadUsageError('usage', `--spread=${text} ${reading.problem}`);
}

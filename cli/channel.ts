/** caisson channel: which release each channel of a release server points to. */
import type {CommandModule} from 'yargs';
import {formatBytes} from '../formats/units.ts';
import {isVersion} from '../formats/version.ts';
import {channelSchema, channelsSchema, historySchema, promotedSchema} from './remote/answers.ts';
import {readAnswer} from './remote/client.ts';
import {remoteCommand} from './remote/command.ts';
import {formatTime} from './remote/options.ts';
import {table} from './table.ts';

const NAME = {type: 'string', demandOption: true, describe: 'The channel'} as const;

export function channelCommand(signal: AbortSignal): CommandModule {
  return {
    command: 'channel',
    describe: 'Show and change which release each channel of a release server points to',
    builder: (yargs) =>
      yargs
        .command(listCommand(signal))
        .command(showCommand(signal))
        .command(promoteCommand(signal))
        .command(addCommand(signal))
        .command(historyCommand(signal))
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

function listCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'list',
    describe: 'All channels, and what they point to',
    async act(remote) {
      const answer = await remote.ask({method: 'GET', path: 'channels'});
      const {channels} = readAnswer(answer, channelsSchema);
      return {value: answer.value, lines: table(channels.map(rowOf))};
    },
  });
}

function showCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'show <name>',
    describe: 'One channel',
    builder: (yargs) => yargs.positional('name', NAME),
    async act(remote, argv) {
      const answer = await remote.ask({method: 'GET', path: `channels/${encodeURIComponent(argv.name)}`});
      return {value: answer.value, lines: table([rowOf(readAnswer(answer, channelSchema))])};
    },
  });
}

function promoteCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'promote <what> <channel>',
    describe: 'Point a channel to a release: the same bytes, for those who follow that channel',
    builder: (yargs) =>
      yargs
        .positional('what', {
          type: 'string',
          demandOption: true,
          describe: 'A version, or a channel: then what that one points to',
        })
        .positional('channel', {
          type: 'string',
          demandOption: true,
          describe: 'The channel that shall point to it',
        })
        .option('allow-downgrade', {
          type: 'boolean',
          default: false,
          describe: 'Also to hosts that run a newer one, if they have ALLOW_DOWNGRADE=true',
        })
        .example('$0 channel promote 0.2.0 alpha', 'a release that is on the server')
        .example('$0 channel promote alpha beta', 'what alpha points to'),
    async act(remote, argv) {
      const {what, channel, 'allow-downgrade': allowDowngrade} = argv;
      const answer = await remote.ask({
        ...{method: 'PUT', path: `channels/${encodeURIComponent(channel)}`},
        body: {...(isVersion(what) ? {version: what} : {from: what}), allowDowngrade},
      });
      const {version, bytes, sha256} = readAnswer(answer, promotedSchema);
      return {
        value: answer.value,
        lines: [`${channel} is at ${version} now (${formatBytes(bytes)}, SHA-256 ${sha256})`],
      };
    },
  });
}

function addCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'add <name>',
    describe: 'Make a channel; groups may follow it then',
    builder: (yargs) => yargs.positional('name', NAME),
    async act(remote, argv) {
      const answer = await remote.ask({method: 'POST', path: `channels/${encodeURIComponent(argv.name)}`});
      return {
        value: answer.value,
        lines: [`${argv.name} is there; next: caisson group add GROUP --channel ${argv.name}`],
      };
    },
  });
}

function historyCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'history <name>',
    describe: 'What a channel pointed to, newest first, and who did it',
    builder: (yargs) =>
      yargs
        .positional('name', NAME)
        .option('limit', {type: 'number', default: 20, describe: 'So many at most'}),
    async act(remote, argv) {
      const path = `channels/${encodeURIComponent(argv.name)}/history`;
      const answer = await remote.ask({method: 'GET', path, query: {limit: String(argv.limit)}});
      const {promotions} = readAnswer(answer, historySchema);
      const rows = promotions.map(({at, version, by, allowDowngrade}) => [
        ...[formatTime(at), version, by],
        allowDowngrade ? 'also backwards' : '',
      ]);
      return {
        value: answer.value,
        lines: rows.length === 0 ? [`${argv.name} points to nothing yet`] : table(rows),
      };
    },
  });
}

function rowOf({
  name,
  version,
  promotedAt,
  allowDowngrade,
}: ReturnType<typeof channelSchema.parse>): readonly string[] {
  const since = version === null ? '' : `since ${formatTime(promotedAt)}`;
  return [name, version ?? '-', since, allowDowngrade ? 'also to hosts with a newer one' : ''];
}

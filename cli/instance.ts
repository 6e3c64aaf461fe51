/** caisson instance: the machines that a release server knows. */
import type {CommandModule} from 'yargs';
import {parseGoDuration} from '../formats/go-duration.ts';
import {PROGRESS_NAMES} from '../server/rollout/tally.ts';
import {instancesSchema, timelineSchema} from './remote/answers.ts';
import {readAnswer} from './remote/client.ts';
import {remoteCommand} from './remote/command.ts';
import {RemoteUsageError, formatTime} from './remote/options.ts';
import {table} from './table.ts';

const ID = {type: 'string', demandOption: true, describe: 'The machine id'} as const;

export function instanceCommand(signal: AbortSignal): CommandModule {
  return {
    command: 'instance',
    describe: 'Find the machines that a release server knows, and see what became of one',
    builder: (yargs) =>
      yargs
        .command(listCommand(signal))
        .command(showCommand(signal))
        .command(forgetCommand(signal))
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

function listCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'list',
    describe: 'Machines, by id',
    builder: (yargs) =>
      yargs
        .option('search', {type: 'string', describe: 'Part of an id or of a name'})
        .option('group', {type: 'string', describe: 'Only those of this group'})
        .option('state', {
          choices: PROGRESS_NAMES,
          describe: 'Only those that are there; see docs/rollout.md',
        })
        .option('version', {type: 'string', describe: 'Only those that run this version'})
        .option('silent-for', {type: 'string', describe: 'Only those not heard of for so long: 3h, 90m'})
        .option('limit', {type: 'number', default: 50, describe: 'So many at most, up to 1000'})
        .option('after', {type: 'string', describe: 'Go on behind this id, the last one of the page before'})
        .example('$0 instance list --group stable --state rolled-back', 'who came back'),
    async act(remote, argv) {
      const {search, group, state, version, limit, after, 'silent-for': silent} = argv;
      const silentFor = silent === undefined ? undefined : secondsOf(silent);
      const answer = await remote.ask({
        ...{method: 'GET', path: 'instances'},
        query: {search, group, state, version, silentFor, limit: String(limit), after},
      });
      const {instances, total, next} = readAnswer(answer, instancesSchema);
      const rows = instances.map((each) => [
        ...[each.id, each.alias || '-', each.group, each.version],
        each.target === null ? each.state : `${each.state} ${each.target}`,
        `seen ${formatTime(each.lastSeenAt)}`,
      ]);
      const rest = next === null ? [] : [`${total} in all; the next page: --after ${next}`];
      return {
        value: answer.value,
        lines: rows.length === 0 ? ['There is no such machine'] : [...table(rows), ...rest],
      };
    },
  });
}

function showCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'show <id>',
    describe: 'One machine, and what became of it, newest first',
    builder: (yargs) =>
      yargs
        .positional('id', ID)
        .option('limit', {type: 'number', default: 50, describe: 'So many lines of its past at most'}),
    async act(remote, argv) {
      const answer = await remote.ask({
        ...{method: 'GET', path: `instances/${encodeURIComponent(argv.id)}`},
        query: {limit: String(argv.limit)},
      });
      const found = readAnswer(answer, timelineSchema);
      const facts = table([
        ['machine', `${found.id}${found.alias === '' ? '' : ` (${found.alias})`}`],
        ['group', found.group],
        ['runs', found.version],
        [
          'state',
          `${found.state}${found.target === null ? '' : ` ${found.target}`}, since ${formatTime(found.progressAt)}`,
        ],
        ['seen', `${formatTime(found.lastSeenAt)}, first ${formatTime(found.firstSeenAt)}`],
        ['installed', found.alephVersion || '-'],
        ['oem', `${found.oem || '-'} ${found.oemVersion}`.trim()],
      ]);
      const past = table(found.timeline.map(({at, version, text}) => [formatTime(at), version, text]));
      return {
        value: answer.value,
        lines: [...facts, '', ...(past.length === 0 ? ['It told nothing yet'] : past)],
      };
    },
  });
}

function forgetCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'forget <id>',
    describe: 'Forget a machine and its past; if it asks again it is a new one',
    builder: (yargs) => yargs.positional('id', ID),
    async act(remote, argv) {
      const answer = await remote.ask({method: 'DELETE', path: `instances/${encodeURIComponent(argv.id)}`});
      return {value: answer.value, lines: [`${argv.id} is forgotten`]};
    },
  });
}

function secondsOf(text: string): string {
  const ms = parseGoDuration(text);
  if (ms === null)
    throw new RemoteUsageError('usage', `--silent-for ${text} is no duration, such as 3h or 90m`);
  return String(Math.round(ms / 1000));
}

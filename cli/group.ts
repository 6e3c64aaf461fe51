/** caisson group: the groups of a release server, their policies and their rollouts. */
import {readFile} from 'node:fs/promises';
import type {CommandModule} from 'yargs';
import {parseYaml, plainValue} from '../formats/yaml.ts';
import {parsePolicy} from '../server/rollout/policy.ts';
import {type GroupAnswer, groupSchema, groupsSchema} from './remote/answers.ts';
import {type Remote, type RemoteRequest, readAnswer} from './remote/client.ts';
import {remoteCommand} from './remote/command.ts';
import {RemoteUsageError, formatTime} from './remote/options.ts';
import {table} from './table.ts';

const NAME = {type: 'string', demandOption: true, describe: 'The group'} as const;
const MAX_POLICY_CHARACTERS = 64 * 1024;

export function groupCommand(signal: AbortSignal): CommandModule {
  const word = (
    verb: string,
    describe: string,
    request: (path: string) => RemoteRequest,
    line: (name: string, value: {readonly machines?: number}) => string,
  ) =>
    remoteCommand(signal, {
      command: `${verb} <name>`,
      describe,
      builder: (yargs) => yargs.positional('name', NAME),
      async act(remote, {name}) {
        const {value} = await remote.ask(request(pathOf(name)));
        return {value, lines: [line(name, value as {readonly machines?: number})]};
      },
    });
  return {
    command: 'group',
    describe: 'Show and steer the groups of a release server: who follows which channel, and how fast',
    builder: (yargs) =>
      yargs
        .command(listCommand(signal))
        .command(showCommand(signal))
        .command(setCommand(signal))
        .command(addCommand(signal))
        .command(
          word(
            'remove',
            'Remove a group, and what is known of its machines',
            (path) => ({method: 'DELETE', path}),
            (name, {machines = 0}) => `${name} is removed, with ${machines} machines`,
          ),
        )
        .command(pauseCommand(signal))
        .command(
          word(
            'resume',
            'Go on, after a pause or after the group halted itself',
            (path) => ({method: 'POST', path: `${path}/resume`}),
            (name) => `${name} goes on`,
          ),
        )
        .command(
          word(
            'retry',
            'Let machines try again that were given up',
            (path) => ({method: 'POST', path: `${path}/retry`}),
            (name, {machines = 0}) => `${machines} machines of ${name} may try again`,
          ),
        )
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

function listCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'list',
    describe: 'All groups, with their channel and how far they are',
    async act(remote) {
      const answer = await remote.ask({method: 'GET', path: 'groups'});
      const {groups} = readAnswer(answer, groupsSchema);
      const rows = groups.map(({name, channel, rollout: {state, counts, inFlight}}) => [
        ...[name, channel, state.target?.version ?? '-'],
        `${counts['done'] ?? 0} done, ${inFlight} under way, ${counts['waiting'] ?? 0} waiting`,
        state.stopped === null ? '' : `${state.stopped.kind}: ${state.stopped.reason}`,
      ]);
      return {value: answer.value, lines: rows.length === 0 ? ['There is no group'] : table(rows)};
    },
  });
}

function showCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'show <name>',
    describe: 'One group: its policy, its rollout, and why it stopped',
    builder: (yargs) => yargs.positional('name', NAME),
    async act(remote, argv) {
      const {group, value} = await find(remote, argv.name);
      return {value, lines: linesOf(group)};
    },
  });
}

interface PolicyArguments {
  policy?: string | undefined;
  pace?: string | undefined;
  'in-flight'?: number | undefined;
  windows?: string | undefined;
  pin?: string | undefined;
}

const POLICY_OPTIONS = {
  policy: {type: 'string', describe: 'File with the whole policy, YAML or JSON; see docs/rollout.md'},
  pace: {type: 'string', describe: '"10% every 1h", "20 every 30m", or "at once"'},
  'in-flight': {
    type: 'number',
    describe: 'So many machines at most between grant and outcome; 0: any number',
  },
  windows: {
    type: 'string',
    describe: 'When something is granted: "Mon-Fri 09:00+8h Europe/Berlin"; "" for always',
  },
  pin: {type: 'string', describe: 'This version, whatever the channel points to; "" for none'},
} as const;

function setCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'set <name>',
    describe: 'Give a group another policy, or change parts of the one that it has',
    builder: (yargs) =>
      yargs
        .positional('name', NAME)
        .options(POLICY_OPTIONS)
        .example('$0 group set stable --pace "5% every 1h" --in-flight 100', 'the rest stays')
        .example('$0 group set stable --policy stable.yaml', 'what the file leaves out is as usual'),
    async act(remote, argv) {
      const {group} = await find(remote, argv.name);
      const policy = await policyOf(argv, group.policy);
      const {channel} = group;
      const answer = await remote.ask({method: 'PUT', path: pathOf(argv.name), body: {channel, policy}});
      return {value: answer.value, lines: [`${argv.name} has the policy ${JSON.stringify(policy)}`]};
    },
  });
}

function addCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'add <name>',
    describe: 'Make a group of hosts that follow a channel; they have GROUP=NAME',
    builder: (yargs) =>
      yargs
        .positional('name', NAME)
        .option('channel', {type: 'string', demandOption: true, describe: 'Which channel it follows'})
        .options(POLICY_OPTIONS),
    async act(remote, argv) {
      const {groups} = readAnswer(await remote.ask({method: 'GET', path: 'groups'}), groupsSchema);
      if (groups.some(({name}) => name === argv.name))
        throw new RemoteUsageError('usage', `there is a group ${argv.name} already`, {
          hint: `caisson group set ${argv.name} changes its policy`,
        });
      const policy = await policyOf(argv, {});
      const body = {channel: argv.channel, policy};
      const answer = await remote.ask({method: 'PUT', path: pathOf(argv.name), body});
      return {
        value: answer.value,
        lines: [`${argv.name} follows ${argv.channel}: hosts with GROUP=${argv.name} belong to it`],
      };
    },
  });
}

function pauseCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'pause <name>',
    describe: 'Grant nobody anything any more, until resume',
    builder: (yargs) =>
      yargs
        .positional('name', NAME)
        .option('reason', {type: 'string', demandOption: true, describe: 'Hosts that wait are told it'}),
    async act(remote, argv) {
      const {name, reason} = argv;
      const answer = await remote.ask({method: 'POST', path: `${pathOf(name)}/pause`, body: {reason}});
      return {value: answer.value, lines: [`${name} is paused: ${reason}`]};
    },
  });
}

function pathOf(name: string): string {
  return `groups/${encodeURIComponent(name)}`;
}

async function find(
  remote: Remote,
  name: string,
): Promise<{readonly group: GroupAnswer; readonly value: unknown}> {
  const answer = await remote.ask({method: 'GET', path: pathOf(name)});
  return {group: readAnswer(answer, groupSchema), value: answer.value};
}

/** Throws RemoteUsageError without a change, and ServerError 'bad-policy' for one that the server would refuse. */
async function policyOf(
  argv: PolicyArguments & {readonly name: string},
  before: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const base = argv.policy === undefined ? before : await readPolicy(argv.policy);
  const {pace, windows, pin, 'in-flight': inFlight} = argv;
  const policy = {
    ...base,
    ...(pace === undefined ? {} : {pace}),
    ...(inFlight === undefined ? {} : {inFlight: inFlight === 0 ? null : inFlight}),
    ...(windows === undefined ? {} : {windows: windows === '' ? null : windows}),
    ...(pin === undefined ? {} : {pin: pin === '' ? null : pin}),
  };
  parsePolicy(policy, `the policy of ${argv.name}`);
  return policy;
}

async function readPolicy(path: string): Promise<Readonly<Record<string, unknown>>> {
  const yaml = parseYaml(await readFile(path, 'utf8'), {
    ...{version: '1.2', maxAliases: 0},
    maxCharacters: MAX_POLICY_CHARACTERS,
  });
  // An empty file is the default policy.
  const value = plainValue(yaml) ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new RemoteUsageError('usage', `${path} is no policy`);
  return value as Readonly<Record<string, unknown>>;
}

function linesOf({name, channel, id, policy, rollout}: GroupAnswer): readonly string[] {
  const {state, counts, outcomes} = rollout;
  const list = (values: Readonly<Record<string, number>>): string =>
    Object.entries(values)
      .filter(([, count]) => count > 0)
      .map(([word, count]) => `${count} ${word}`)
      .join(', ') || 'none';
  const target =
    state.target === null ? '-' : `${state.target.version}, since ${formatTime(state.startedAt)}`;
  return table([
    ['group', `${name} (${id})`],
    ['channel', channel],
    ['target', target],
    ['machines', list(counts)],
    ['outcomes', list(outcomes)],
    ...(state.stopped === null
      ? []
      : [
          [state.stopped.kind, `${state.stopped.reason}, since ${formatTime(state.stopped.at)}`],
          ['', `next: caisson group resume ${name}`],
        ]),
    ['policy', Object.keys(policy).length === 0 ? 'as usual' : JSON.stringify(policy)],
  ]);
}

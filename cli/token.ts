/** caisson token: who may ask a release server what. */
import type {CommandModule} from 'yargs';
import {TOKEN_ROLES} from '../server/store/tokens.ts';
import {newTokenSchema, tokensSchema} from './remote/answers.ts';
import {readAnswer} from './remote/client.ts';
import {remoteCommand} from './remote/command.ts';
import {formatTime} from './remote/options.ts';
import {table} from './table.ts';

const NAME = {type: 'string', demandOption: true, describe: 'What it is called, for people'} as const;

export function tokenCommand(signal: AbortSignal): CommandModule {
  return {
    command: 'token',
    describe: 'Make, list and revoke the tokens that a release server knows people and pipelines by',
    builder: (yargs) =>
      yargs
        .command(addCommand(signal))
        .command(listCommand(signal))
        .command(revokeCommand(signal))
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

function addCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'add <name>',
    describe: 'Make a token; it is printed now and never again',
    builder: (yargs) =>
      yargs
        .positional('name', NAME)
        .option('role', {
          choices: TOKEN_ROLES,
          demandOption: true,
          describe: 'What it may; each may what those before it may',
        })
        .example('$0 token add ci --role publish > ci.token', 'only the token goes to the file'),
    async act(remote, argv) {
      const {name, role} = argv;
      const answer = await remote.ask({method: 'POST', path: 'tokens', body: {name, role}});
      const {token} = readAnswer(answer, newTokenSchema);
      if (!argv.json) process.stderr.write(`Token ${name}, role ${role}; it is shown this once:\n`);
      return {value: answer.value, lines: [token]};
    },
  });
}

function listCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'list',
    describe: 'All tokens by name; what they are nobody knows any more',
    async act(remote) {
      const answer = await remote.ask({method: 'GET', path: 'tokens'});
      const rows = readAnswer(answer, tokensSchema).tokens.map(({name, role, createdAt, revokedAt}) => [
        ...[name, role, `made ${formatTime(createdAt)}`],
        revokedAt === null ? '' : `revoked ${formatTime(revokedAt)}`,
      ]);
      return {value: answer.value, lines: table(rows)};
    },
  });
}

function revokeCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'revoke <name>',
    describe: 'Let a token be worth nothing from now on',
    builder: (yargs) => yargs.positional('name', NAME),
    async act(remote, argv) {
      const answer = await remote.ask({method: 'DELETE', path: `tokens/${encodeURIComponent(argv.name)}`});
      return {value: answer.value, lines: [`${argv.name} is revoked`]};
    },
  });
}

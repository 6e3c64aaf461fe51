/** The sub-commands that ask a running cluster: status, ssh, cut, join, down. */
import {resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {CommandModule} from 'yargs';
import {pathExists} from '../../platform/files.ts';
import {findMember} from '../../qemu/cluster/plan.ts';
import {commandLine, runSsh} from '../ssh.ts';
import {askDown, askLink, askStatus, requireNote} from './control.ts';
import {DIR_OPTION} from './options.ts';
import {formatClusterStatus} from './status-text.ts';

interface DirArguments {
  dir: string;
}

interface StatusArguments extends DirArguments {
  watch: boolean;
  json: boolean;
}

const WATCH_EVERY_MS = 2_000;
const CLEAR_SCREEN = '\u001B[H\u001B[2J';

export function statusCommand(signal: AbortSignal): CommandModule<object, StatusArguments> {
  return {
    command: 'status',
    describe: 'The cluster on one screen: hosts, etcd, the reboot lock, and why nothing happens',
    builder: (yargs) =>
      yargs
        .option('watch', {
          alias: 'w',
          type: 'boolean',
          default: false,
          describe: 'Again and again, until Ctrl-C',
        })
        .option('json', {
          type: 'boolean',
          default: false,
          describe: 'Print JSON; with --watch one line each time',
        })
        .option('dir', DIR_OPTION),
    handler: async ({dir, watch, json}) => {
      for (;;) {
        const status = await askStatus(await requireNote(resolve(dir)), signal);
        const text = json
          ? `${JSON.stringify(status, undefined, watch ? 0 : 2)}\n`
          : formatClusterStatus(status);
        process.stdout.write(watch && !json && process.stdout.isTTY ? `${CLEAR_SCREEN}${text}` : text);
        if (!watch) return;
        await sleep(WATCH_EVERY_MS, undefined, {signal});
      }
    },
  };
}

interface SshArguments extends DirArguments {
  member: string;
  command?: string[];
  /** The sub-command's own names, and what stood behind `--`. */
  _?: (string | number)[];
}

export const clusterSshCommand: CommandModule<object, SshArguments> = {
  command: 'ssh <member> [command..]',
  describe: 'Log in to a host, or run a command on it',
  builder: (yargs) =>
    yargs
      .positional('member', {type: 'string', demandOption: true, describe: 'Its number or its name'})
      .positional('command', {
        type: 'string',
        array: true,
        describe: 'A command line for the shell of the host, or the words of a command',
      })
      .option('dir', DIR_OPTION)
      .parserConfiguration({'unknown-options-as-args': true})
      .example("$0 cluster ssh 1 'etcdctl endpoint health --cluster'", 'a line for the shell'),
  handler: async ({dir, member, command = [], _: rest = []}) => {
    const note = await requireNote(resolve(dir));
    const {sshPort} = findMember(note.members, String(member));
    const {user, identityFile} = note;
    const words = [...command, ...rest.slice(2).map(String)];
    process.exitCode = await runSsh({port: sshPort, user, identityFile}, commandLine(words));
  },
};

interface LinkArguments extends DirArguments {
  member: string;
}

export function linkCommand(verb: 'cut' | 'join', signal: AbortSignal): CommandModule<object, LinkArguments> {
  return {
    command: `${verb} <member>`,
    describe:
      verb === 'cut'
        ? "Take a host off the cluster's network; ssh still reaches it"
        : "Bring a host back to the cluster's network",
    builder: (yargs) =>
      yargs
        .positional('member', {type: 'string', demandOption: true, describe: 'Its number or its name'})
        .option('dir', DIR_OPTION),
    handler: async ({dir, member}) => askLink(await requireNote(resolve(dir)), verb, String(member), signal),
  };
}

export function downCommand(signal: AbortSignal): CommandModule<object, DirArguments> {
  return {
    command: 'down',
    describe: 'Cut the power of all hosts, and end the cluster',
    builder: (yargs) => yargs.option('dir', DIR_OPTION),
    handler: async ({dir}) => {
      const note = await requireNote(resolve(dir));
      await askDown(note, signal);
      while (await pathExists(`/proc/${note.pid}`)) await sleep(100, undefined, {signal});
    },
  };
}

/** caisson ssh */
import type {CommandModule} from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {start} from '../platform/exec.ts';
import {remoteCommand} from '../qemu/ssh.ts';
import {readSessionNote} from '../qemu/session.ts';
import {MACHINE_DIR} from './paths.ts';

class SshError extends CodedError<'no-machine'> {}

interface Arguments {
  command?: string[];
}

export const sshCommand: CommandModule<object, Arguments> = {
  command: 'ssh [command..]',
  describe: 'Log in to the machine that `caisson run` started, or run a command on it',
  builder: (yargs) =>
    yargs
      .positional('command', {
        type: 'string',
        array: true,
        describe: 'Words of a command; put -- before them if they have options',
      })
      .parserConfiguration({'unknown-options-as-args': true}),
  handler: async ({command = []}) => {
    const note = await readSessionNote(MACHINE_DIR);
    if (note === undefined)
      throw new SshError('no-machine', 'no machine is running', {hint: 'start one with: caisson run'});
    // Every run is a new machine on the same port; its key proves nothing that loopback does not.
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'IdentitiesOnly=yes',
      'LogLevel=ERROR',
      'ConnectTimeout=60',
    ];
    const session = start(
      [
        'ssh',
        ...['-F', 'none', '-p', String(note.port), '-i', note.identityFile, '-l', note.user],
        ...options.flatMap((option) => ['-o', option]),
        '127.0.0.1',
        ...(command.length === 0 ? [] : [remoteCommand(command)]),
      ],
      {stdio: 'inherit'},
    );
    process.exitCode = (await session.ended).exitCode ?? 1;
  },
};

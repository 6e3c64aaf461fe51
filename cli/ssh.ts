/** caisson ssh */
import type {CommandModule} from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {start} from '../platform/exec.ts';
import {remoteCommand} from '../qemu/ssh.ts';
import {type SessionNote, readSessionNote} from '../qemu/session.ts';
import {MACHINE_DIR} from './paths.ts';

class SshError extends CodedError<'no-machine'> {}

interface Arguments {
  command?: string[];
  /** The sub-command's own name, and what stood behind `--`. */
  _?: (string | number)[];
}

/** As ssh has it: one word is a line for the shell. Several arrive as exactly these words. */
export function commandLine(words: readonly string[]): string[] {
  return words.length <= 1 ? [...words] : [remoteCommand(words)];
}

export const sshCommand: CommandModule<object, Arguments> = {
  command: 'ssh [command..]',
  describe: 'Log in to the machine that `caisson run` started, or run a command on it',
  builder: (yargs) =>
    yargs
      .positional('command', {
        type: 'string',
        array: true,
        describe: 'A command line for the shell of the machine, or the words of a command',
      })
      .parserConfiguration({'unknown-options-as-args': true})
      .example('$0 ssh', 'log in')
      .example("$0 ssh 'systemctl --failed; df -h'", 'a line for the shell')
      .example('$0 ssh -- docker run --rm hello', 'words, with options of their own'),
  handler: async ({command = [], _: rest = []}) => {
    const words = [...command, ...rest.slice(1).map(String)];
    const note = await readSessionNote(MACHINE_DIR);
    if (note === undefined)
      throw new SshError('no-machine', 'no machine is running', {hint: 'start one with: caisson run'});
    process.exitCode = await runSsh(note, commandLine(words));
  },
};

/** ssh in this terminal to a machine on loopback; gives ssh's exit code. */
export async function runSsh(
  {port, user, identityFile}: Pick<SessionNote, 'port' | 'user' | 'identityFile'>,
  command: readonly string[],
): Promise<number> {
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
      ...['-F', 'none', '-p', String(port), '-i', identityFile, '-l', user],
      ...options.flatMap((option) => ['-o', option]),
      '127.0.0.1',
      ...command,
    ],
    {stdio: 'inherit'},
  );
  return (await session.ended).exitCode ?? 1;
}

/** The frame of a command that asks a release server: its options, the connection, and what is printed of the answer. */
import type {ArgumentsCamelCase, Argv, CommandModule} from 'yargs';
import type {Remote} from './client.ts';
import {REMOTE_OPTIONS, type RemoteArguments, print, withRemote} from './options.ts';

export interface Shown {
  /** With --json. */
  readonly value: unknown;
  readonly lines: readonly string[];
}

export interface RemoteCommand<Own> {
  readonly command: string;
  readonly describe: string;
  /** What it takes besides; nothing without. */
  readonly builder?: (yargs: Argv) => Argv<Own>;
  readonly act: (remote: Remote, argv: ArgumentsCamelCase<Own & RemoteArguments>) => Promise<Shown>;
}

export function remoteCommand<Own>(
  signal: AbortSignal,
  {command, describe, builder = (yargs) => yargs as Argv<Own>, act}: RemoteCommand<Own>,
): CommandModule<object, Own & RemoteArguments> {
  return {
    command,
    describe,
    builder: (yargs) =>
      builder(yargs as Argv).options(REMOTE_OPTIONS) as unknown as Argv<Own & RemoteArguments>,
    handler: (argv) =>
      withRemote(argv, signal, async (remote) => {
        const {value, lines} = await act(remote, argv);
        print(argv.json, value, lines);
      }),
  };
}

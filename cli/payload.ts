/** caisson payload: the files that carry a release to hosts. */
import type {CommandModule} from 'yargs';
import {digestCommand} from './payload/digest.ts';
import {extractCommand} from './payload/extract.ts';
import {inspectPayloadCommand} from './payload/inspect.ts';
import {makeCommand} from './payload/make.ts';
import {signCommand} from './payload/sign.ts';
import {verifyCommand} from './payload/verify.ts';

export function payloadCommand(signal: AbortSignal): CommandModule {
  return {
    command: 'payload',
    describe: 'Make, sign, inspect, check and unpack the files that carry a release to hosts',
    builder: (yargs) =>
      yargs
        .command(makeCommand(signal))
        .command(inspectPayloadCommand(signal))
        .command(verifyCommand(signal))
        .command(extractCommand(signal))
        .command(digestCommand(signal))
        .command(signCommand(signal))
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

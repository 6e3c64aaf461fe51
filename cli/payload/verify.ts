/** caisson payload verify */
import {tmpdir} from 'node:os';
import type {CommandModule} from 'yargs';
import {verifyPayloadFile} from '../../update-engine/apply/files.ts';
import {type ApplyArguments, printApplied, withApplyOptions, withPayloadFile} from './apply-options.ts';

interface Arguments extends ApplyArguments {
  scratch: string;
}

export function verifyCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'verify <file>',
    describe: 'Check a payload by doing everything a host does with it, on scratch files',
    builder: (yargs) =>
      withApplyOptions(yargs)
        .option('scratch', {
          type: 'string',
          default: tmpdir(),
          describe: 'Folder with room for the unpacked partitions',
        })
        .example('$0 payload verify update.payload --key update.pub.pem', '')
        .example(
          '$0 payload verify delta.payload --old-usr out/0.1.0/usr.img --old-kernel out/0.1.0/uki.efi',
          '',
        ),
    handler: async (argv) => {
      const applied = await withPayloadFile('Verifying', argv, signal, (options) =>
        verifyPayloadFile({...options, scratchFolder: argv.scratch}),
      );
      const verdict = `${argv.file} is sound and signed by a trusted key`;
      printApplied(applied, argv, {sound: true}, [verdict]);
    },
  };
}

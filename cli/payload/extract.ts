/** caisson payload extract */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {extractPayloadFile} from '../../update-engine/apply/files.ts';
import {type ApplyArguments, printApplied, withApplyOptions, withPayloadFile} from './apply-options.ts';

interface Arguments extends ApplyArguments {
  to: string;
}

export function extractCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'extract <file>',
    describe: 'Write the partitions of a payload to files: usr.img and kernel.efi',
    builder: (yargs) =>
      withApplyOptions(yargs)
        .option('to', {
          type: 'string',
          demandOption: true,
          describe: 'Folder of the files; they appear once the whole payload was found right',
        })
        .example('$0 payload extract update.payload --key update.pub.pem --to unpacked', ''),
    handler: async (argv) => {
      const applied = await withPayloadFile('Unpacking', argv, signal, (options) =>
        extractPayloadFile({...options, folder: resolve(argv.to)}),
      );
      printApplied(applied, argv, {files: applied.files}, applied.files);
    },
  };
}

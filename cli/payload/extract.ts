/** caisson payload extract */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {extractPayloadFile} from '../../update-engine/apply/files.ts';
import {
  APPLY_OPTIONS,
  type ApplyArguments,
  FILE_POSITIONAL,
  appliedText,
  describeApplied,
  withPayloadFile,
} from './apply-options.ts';
import {JSON_OPTION} from './options.ts';

interface Arguments extends ApplyArguments {
  to: string;
}

export function extractCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'extract <file>',
    describe: 'Write the partitions of a payload to files: usr.img and kernel.efi',
    builder: (yargs) =>
      yargs
        .positional('file', FILE_POSITIONAL)
        .options(APPLY_OPTIONS)
        .option('to', {
          type: 'string',
          demandOption: true,
          describe: 'Folder of the files; they appear once the whole payload was found right',
        })
        .option('json', JSON_OPTION)
        .example('$0 payload extract update.payload --key update.pub.pem --to unpacked', ''),
    handler: async (argv) => {
      const applied = await withPayloadFile('Unpacking', argv, signal, (options) =>
        extractPayloadFile({...options, folder: resolve(argv.to)}),
      );
      const text = argv.json
        ? JSON.stringify({files: applied.files, ...describeApplied(applied)}, undefined, 2)
        : [...applied.files, ...appliedText(applied)].join('\n');
      process.stdout.write(`${text}\n`);
    },
  };
}

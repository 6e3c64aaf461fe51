/** caisson payload digest */
import {stat} from 'node:fs/promises';
import type {CommandModule} from 'yargs';
import {digestPayload} from '../../payload/sign.ts';
import {writeFileAtomic} from '../../platform/files.ts';
import {JSON_OPTION, digestFilesOf, withProgress} from './options.ts';

interface Arguments {
  file: string;
  json: boolean;
}

export function digestCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'digest <file>',
    describe: 'Print what is to be signed elsewhere, and write it to files',
    builder: (yargs) =>
      yargs
        .positional('file', {type: 'string', demandOption: true, describe: 'A payload, signed or not'})
        .option('json', JSON_OPTION)
        .example(
          '$0 payload digest update.payload',
          'writes update.payload.metadata.sha256 and update.payload.payload.sha256',
        ),
    handler: async ({file, json}) => {
      const {size} = await stat(file);
      const digests = await withProgress('Reading', size, signal, (work) => digestPayload(file, work));
      const files = digestFilesOf(file);
      await writeFileAtomic(files.metadata, digests.metadata);
      await writeFileAtomic(files.payload, digests.payload);
      const parts = (['metadata', 'payload'] as const).map((part) => ({
        part,
        sha256: Buffer.from(digests[part]).toString('hex'),
        file: files[part],
      }));
      const text = parts.map(({part, sha256, file: path}) => `${part.padEnd(8)}  ${sha256}  ${path}`);
      process.stdout.write(`${json ? JSON.stringify(parts, undefined, 2) : text.join('\n')}\n`);
    },
  };
}

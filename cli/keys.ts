/** caisson keys */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {makeKeys} from '../payload/dev-keys.ts';
import {DEFAULT_KEYS_DIR} from './paths.ts';

interface Arguments {
  out: string;
  name: string;
  bits: number;
  subject: string;
  days: number;
  force: boolean;
  json: boolean;
}

export const keysCommand: CommandModule<object, Arguments> = {
  command: 'keys',
  describe: 'Make a key pair that signs updates, for development',
  builder: (yargs) =>
    yargs
      .option('out', {
        type: 'string',
        default: DEFAULT_KEYS_DIR,
        defaultDescription: 'keys/',
        describe: 'Folder of the three files',
      })
      .option('name', {type: 'string', default: 'update', describe: 'What the files are called'})
      .option('bits', {type: 'number', default: 4096, describe: 'Of the RSA key: 2048 to 8192'})
      .option('subject', {
        type: 'string',
        default: 'Caisson update key',
        describe: 'Common name in the certificate',
      })
      .option('days', {type: 'number', default: 3650, describe: 'How long the certificate is valid'})
      .option('force', {type: 'boolean', default: false, describe: 'Replace a key that is there'})
      .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
      .example('$0 keys', 'keys/update.key.pem, which signs, and keys/update.pub.pem, which hosts trust')
      .example('$0 keys --name update-2027 --bits 4096', 'the next key, to be trusted before it is used'),
  handler: async (argv) => {
    const {name, bits, subject, days, force} = argv;
    const made = await makeKeys({
      ...{name, bits, subject, days, force},
      folder: resolve(argv.out),
      now: new Date(),
    });
    if (argv.json) {
      process.stdout.write(`${JSON.stringify(made, undefined, 2)}\n`);
      return;
    }
    const lines = [
      `RSA key of ${made.bits} bits, fingerprint ${made.fingerprint}`,
      `  ${made.privateKey}  signs updates; keep it secret, and keep a copy`,
      `  ${made.publicKey}  goes into releases: caisson build --update-key`,
      `  ${made.certificate}  until ${made.notAfter.toISOString().slice(0, 10)}, for tools that want one`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  },
};

/** caisson keys */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {makeKeys} from '../payload/dev-keys.ts';
import {DEFAULT_CHANNEL_KEYS_DIR, DEFAULT_KEYS_DIR} from './paths.ts';

interface Arguments {
  for: Purpose;
  out?: string;
  name?: string;
  bits: number;
  subject?: string;
  days: number;
  force: boolean;
  json: boolean;
}

const USES = {
  update: {signs: 'signs updates; keep it secret, and keep a copy', option: '--update-key'},
  channel: {signs: 'signs channels: caisson server --channel-key', option: '--channel-key'},
} as const;

const PURPOSES = ['update', 'channel'] as const;
type Purpose = (typeof PURPOSES)[number];

/** A key of channels lies in a folder of its own: what lies in keys/ is trusted with updates. */
const DEFAULTS = {
  update: {out: DEFAULT_KEYS_DIR, subject: 'Caisson update key'},
  channel: {out: DEFAULT_CHANNEL_KEYS_DIR, subject: 'Caisson channel key'},
} as const satisfies Record<Purpose, object>;

export const keysCommand: CommandModule<object, Arguments> = {
  command: 'keys',
  describe: 'Make a key pair that signs updates, or channels, for development',
  builder: (yargs) =>
    yargs
      .option('for', {choices: PURPOSES, default: 'update', describe: 'What it is to sign'} as const)
      .option('out', {
        type: 'string',
        defaultDescription: 'keys/, or keys/channel/',
        describe: 'Folder of the three files',
      })
      .option('name', {
        type: 'string',
        defaultDescription: 'update, or channel',
        describe: 'What the files are called',
      })
      .option('bits', {type: 'number', default: 4096, describe: 'Of the RSA key: 2048 to 8192'})
      .option('subject', {
        type: 'string',
        defaultDescription: 'Caisson update key, or channel key',
        describe: 'Common name in the certificate',
      })
      .option('days', {type: 'number', default: 3650, describe: 'How long the certificate is valid'})
      .option('force', {type: 'boolean', default: false, describe: 'Replace a key that is there'})
      .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
      .example('$0 keys', 'keys/update.key.pem, which signs, and keys/update.pub.pem, which hosts trust')
      .example('$0 keys --for channel', 'the key that the release server signs its channels with')
      .example('$0 keys --name update-2027 --bits 4096', 'the next key, to be trusted before it is used'),
  handler: async (argv) => {
    const {bits, days, force} = argv;
    const defaults = DEFAULTS[argv.for];
    const {name = argv.for, subject = defaults.subject} = argv;
    const made = await makeKeys({
      ...{name, bits, subject, days, force},
      folder: resolve(argv.out ?? defaults.out),
      now: new Date(),
    });
    if (argv.json) {
      process.stdout.write(`${JSON.stringify(made, undefined, 2)}\n`);
      return;
    }
    const lines = [
      `RSA key of ${made.bits} bits, fingerprint ${made.fingerprint}`,
      `  ${made.privateKey}  ${USES[argv.for].signs}`,
      `  ${made.publicKey}  goes into releases: caisson build ${USES[argv.for].option}`,
      `  ${made.certificate}  until ${made.notAfter.toISOString().slice(0, 10)}, for tools that want one`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  },
};

/** caisson payload sign */
import {stat} from 'node:fs/promises';
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {keyFingerprint} from '../../formats/payload/keys.ts';
import {readPrivateKeys, readPublicKeys, readSignatures} from '../../payload/key-files.ts';
import {signPayload} from '../../payload/sign.ts';
import {type Signing, publicKeysOf} from '../../payload/signing.ts';
import {JSON_OPTION, PayloadUsageError, withProgress} from './options.ts';

interface Arguments {
  file: string;
  key: string[];
  'public-key': string[];
  'metadata-signature': string[];
  'payload-signature': string[];
  out?: string;
  json: boolean;
}

export function signCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'sign <file>',
    describe: 'Sign a payload, or put signatures into it that were made elsewhere',
    builder: (yargs) =>
      yargs
        .positional('file', {type: 'string', demandOption: true, describe: 'A payload, signed or not'})
        .option('key', {
          type: 'string',
          array: true,
          default: [],
          describe: 'Private key in PEM; signatures that are there are replaced by those of the keys named',
        })
        .option('public-key', {
          type: 'string',
          array: true,
          default: [],
          describe: 'Public key in PEM of each signature that was made elsewhere',
        })
        .option('metadata-signature', {
          type: 'string',
          array: true,
          default: [],
          describe: 'Files with signatures of the metadata digest, in the order of the public keys',
        })
        .option('payload-signature', {
          type: 'string',
          array: true,
          default: [],
          describe: 'Files with signatures of the payload digest, in the same order',
        })
        .option('out', {
          type: 'string',
          defaultDescription: 'the same file',
          describe: 'The file to write; it appears only when every signature was checked',
        })
        .option('json', JSON_OPTION)
        .example('$0 payload sign update.payload --key update.key.pem', 'with a key at hand')
        .example(
          '$0 payload sign update.payload --public-key update.pub.pem --metadata-signature m.sig --payload-signature p.sig',
          'with signatures from elsewhere',
        ),
    handler: async (argv) => {
      const signing = await signingOf(argv);
      const out = resolve(argv.out ?? argv.file);
      const {size} = await stat(argv.file);
      const made = await withProgress('Signing and reading back', 2 * size, signal, (work) =>
        signPayload(argv.file, out, signing, work),
      );
      const {bytes, sha256, metadataBytes} = made;
      const value = {
        path: out,
        bytes,
        sha256,
        metadataBytes,
        signedBy: publicKeysOf(signing).map(keyFingerprint),
      };
      const text = [
        `${out}: SHA-256 ${sha256}`,
        ...value.signedBy.map((fingerprint) => `  signed by key ${fingerprint}`),
      ];
      process.stdout.write(`${argv.json ? JSON.stringify(value, undefined, 2) : text.join('\n')}\n`);
    },
  };
}

async function signingOf(argv: Arguments): Promise<Signing> {
  const [publicKeys, metadata, payload] = [
    argv['public-key'],
    argv['metadata-signature'],
    argv['payload-signature'],
  ];
  if (argv.key.length > 0) {
    if (publicKeys.length + metadata.length + payload.length > 0)
      throw new PayloadUsageError('usage', '--key and signatures from elsewhere contradict each other');
    return {kind: 'keys', privateKeys: await readPrivateKeys(argv.key)};
  }
  if (
    publicKeys.length === 0 ||
    metadata.length !== publicKeys.length ||
    payload.length !== publicKeys.length
  )
    throw new PayloadUsageError(
      'usage',
      'give --key, or for each signature --public-key, --metadata-signature and --payload-signature',
    );
  return {
    kind: 'given',
    publicKeys: (await readPublicKeys(publicKeys)).map(({key}) => key),
    signatures: {metadata: await readSignatures(metadata), payload: await readSignatures(payload)},
  };
}

/** caisson payload make */
import {mkdir} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {type PartitionSummary, summarizePartition} from '../../formats/payload/summary.ts';
import {formatBytes} from '../../formats/units.ts';
import {MakePayloadError} from '../../payload/errors.ts';
import {findKeyFiles, readPrivateKeys} from '../../payload/key-files.ts';
import {PAYLOAD_FILE, makePayload} from '../../payload/make.ts';
import {signReleaseFile} from '../../payload/sign-release.ts';
import {type Signing, publicKeysOf} from '../../payload/signing.ts';
import {keyFingerprint} from '../../formats/payload/keys.ts';
import {DEFAULT_KEYS_DIR, DEFAULT_OUT_DIR} from '../paths.ts';
import {findRelease} from '../releases.ts';
import {terminalLog} from '../terminal.ts';
import {JSON_OPTION, PayloadUsageError, SIGNING_KEY_OPTION} from './options.ts';

interface Arguments {
  release?: string;
  key: string[];
  unsigned: boolean;
  'signature-bytes': number[];
  out?: string;
  jobs: number;
  quick: boolean;
  json: boolean;
}

/** What a 4096-bit key gives. */
const DEFAULT_SIGNATURE_BYTES = 512;

export function makeCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'make [release]',
    describe: 'Make the payload that brings a release to hosts',
    builder: (yargs) =>
      yargs
        .positional('release', {
          type: 'string',
          describe: 'A version below out/, or the directory of a release; default is the newest',
        })
        .option('key', SIGNING_KEY_OPTION)
        .option('unsigned', {
          type: 'boolean',
          default: false,
          describe: 'Leave room for signatures that are made elsewhere',
        })
        .option('signature-bytes', {
          type: 'number',
          array: true,
          default: [],
          defaultDescription: String(DEFAULT_SIGNATURE_BYTES),
          describe: 'With --unsigned: bytes of each signature, an eighth of the bits of its key',
        })
        .option('out', {
          type: 'string',
          defaultDescription: `RELEASE/${PAYLOAD_FILE}`,
          describe: 'The file to write',
        })
        .option('jobs', {
          type: 'number',
          default: availableParallelism(),
          defaultDescription: 'one a processor',
          describe: 'How many chunks are compressed at once, at most 8',
        })
        .option('quick', {
          type: 'boolean',
          default: false,
          describe: 'Compress in a tenth of the time, into a quarter more bytes: to try things out',
        })
        .option('json', JSON_OPTION)
        .example('$0 payload make', 'of the newest release, signed by the keys in keys/')
        .example('$0 payload make 0.2.0 --key old.key.pem --key new.key.pem', 'while keys rotate')
        .example('$0 payload make 0.2.0 --unsigned', 'to be signed where the key is: payload digest, sign'),
    handler: async (argv) => {
      const signing = await signingOf(argv);
      const found = await findRelease(DEFAULT_OUT_DIR, argv.release);
      const out = argv.out === undefined ? join(found.directory, PAYLOAD_FILE) : resolve(argv.out);
      await mkdir(dirname(out), {recursive: true});
      const log = terminalLog(false);
      const effort = argv.quick ? 'quick' : 'small';
      const made = await makePayload({...found, out, signing, jobs: argv.jobs, effort, signal, log});
      if (signing.kind === 'keys' && argv.out === undefined) await signReleaseFile(found.directory, signing);
      const partitions = made.manifest.partitions.map(summarizePartition);
      const signedBy = publicKeysOf(signing).map(keyFingerprint);
      const {bytes, sha256, metadataBytes} = made;
      const value = {path: out, bytes, sha256, metadataBytes, signedBy, partitions};
      const text = argv.json ? JSON.stringify(value, undefined, 2) : describe(value).join('\n');
      process.stdout.write(`${text}\n`);
    },
  };
}

async function signingOf(argv: Arguments): Promise<Signing> {
  const sizes = argv['signature-bytes'];
  if (argv.unsigned) {
    if (argv.key.length > 0)
      throw new PayloadUsageError('usage', '--unsigned and --key contradict each other');
    return {kind: 'draft', sizes: sizes.length > 0 ? sizes : [DEFAULT_SIGNATURE_BYTES]};
  }
  if (sizes.length > 0) throw new PayloadUsageError('usage', '--signature-bytes goes with --unsigned');
  const paths = argv.key.length > 0 ? argv.key : await findKeyFiles(DEFAULT_KEYS_DIR, 'private');
  if (paths.length === 0)
    throw new MakePayloadError('no-key', 'there is no key to sign with', {
      hint: 'make one with: caisson keys; or name one with --key, or use --unsigned',
    });
  return {kind: 'keys', privateKeys: await readPrivateKeys(paths)};
}

function describe(made: {
  path: string;
  bytes: number;
  sha256: string;
  signedBy: readonly string[];
  partitions: readonly PartitionSummary[];
}): string[] {
  const {path, bytes, sha256, signedBy, partitions} = made;
  return [
    `${path}: ${formatBytes(bytes)}`,
    `  SHA-256 ${sha256}`,
    ...partitions.map(
      ({name, bytes: size, blobBytes}) =>
        `  ${name}: ${formatBytes(size)}, sent as ${formatBytes(blobBytes)}`,
    ),
    ...signedBy.map((fingerprint) => `  signed by key ${fingerprint}`),
    ...(signedBy.length === 0 ? ['  not signed: no host accepts it yet; next: caisson payload digest'] : []),
  ];
}

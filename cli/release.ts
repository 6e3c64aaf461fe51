/** caisson release: the releases on a release server, and signatures of their manifests. */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {formatBytes} from '../formats/units.ts';
import {keyFingerprint} from '../formats/payload/keys.ts';
import {findKeyFiles, readPrivateKeys, readPublicKeys, readSignatures} from '../payload/key-files.ts';
import {signReleaseFile} from '../payload/sign-release.ts';
import {DEFAULT_KEYS_DIR, DEFAULT_OUT_DIR} from './paths.ts';
import {JSON_OPTION, PayloadUsageError, SIGNING_KEY_OPTION} from './payload/options.ts';
import {findRelease} from './releases.ts';
import {releasesSchema} from './remote/answers.ts';
import {readAnswer} from './remote/client.ts';
import {remoteCommand} from './remote/command.ts';
import {formatTime, print} from './remote/options.ts';
import {table} from './table.ts';

const VERSION = {type: 'string', demandOption: true, describe: 'Of the release'} as const;

export function releaseCommand(signal: AbortSignal): CommandModule {
  return {
    command: 'release',
    describe: 'List, withdraw and remove the releases of a release server; sign a manifest',
    builder: (yargs) =>
      yargs
        .command(listCommand(signal))
        .command(withdrawCommand(signal))
        .command(changeCommand(signal, 'restore', 'Let a release be offered again that was withdrawn'))
        .command(changeCommand(signal, 'remove', 'Remove a release, its payload and all that belongs to it'))
        .command(signCommand())
        .demandCommand(1, 'Name a command.'),
    handler: () => undefined,
  };
}

function listCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'list',
    describe: 'All releases, newest first',
    async act(remote) {
      const answer = await remote.ask({method: 'GET', path: 'releases'});
      const {releases} = readAnswer(answer, releasesSchema);
      const rows = releases.map((release) => [
        release.version,
        formatBytes(release.bytes),
        formatTime(release.publishedAt),
        release.publishedBy || '-',
        release.signedBy === '' ? '' : `signed by ${release.signedBy}`,
        release.isWithdrawn ? `withdrawn: ${release.withdrawnWhy}` : release.channels.join(', '),
      ]);
      return {value: answer.value, lines: rows.length === 0 ? ['There is no release'] : table(rows)};
    },
  });
}

function withdrawCommand(signal: AbortSignal) {
  return remoteCommand(signal, {
    command: 'withdraw <version>',
    describe: 'Offer a release to nobody any more; hosts that have it on its way drop it',
    builder: (yargs) =>
      yargs
        .positional('version', VERSION)
        .option('reason', {type: 'string', demandOption: true, describe: 'For those who look at it later'})
        .example(
          '$0 release withdraw 0.2.0 --reason "loses its network"',
          'channels stay, and offer nothing',
        ),
    async act(remote, argv) {
      const {version, reason} = argv;
      const path = `releases/${encodeURIComponent(version)}/withdraw`;
      const answer = await remote.ask({method: 'POST', path, body: {reason}});
      return {value: answer.value, lines: [`${version} is offered to nobody any more: ${reason}`]};
    },
  });
}

function changeCommand(signal: AbortSignal, verb: 'restore' | 'remove', describe: string) {
  return remoteCommand(signal, {
    command: `${verb} <version>`,
    describe,
    builder: (yargs) => yargs.positional('version', VERSION),
    async act(remote, argv) {
      const path = `releases/${encodeURIComponent(argv.version)}`;
      const answer = await remote.ask(
        verb === 'remove' ? {method: 'DELETE', path} : {method: 'POST', path: `${path}/restore`},
      );
      return {value: answer.value, lines: [`${argv.version} is ${verb}d`]};
    },
  });
}

interface SignArguments {
  release?: string;
  key: string[];
  'public-key': string[];
  signature: string[];
  json: boolean;
}

function signCommand(): CommandModule<object, SignArguments> {
  const files = {type: 'string', array: true, default: [] as string[]} as const;
  return {
    command: 'sign [release]',
    describe: 'Sign release.json, which names every file of a release by its hash',
    builder: (yargs) =>
      yargs
        .positional('release', {
          type: 'string',
          describe: 'A version below out/, or the directory of a release; default is the newest',
        })
        .option('key', SIGNING_KEY_OPTION)
        .option('public-key', {...files, describe: 'Public key in PEM of each signature made elsewhere'})
        .option('signature', {...files, describe: 'Files with signatures made elsewhere, in the same order'})
        .option('json', JSON_OPTION)
        .example(
          '$0 release sign 0.2.0',
          'caisson payload make does it as well, with the keys that it signs with',
        )
        .example(
          '$0 release sign 0.2.0 --public-key update.pub.pem --signature release.sig',
          'made by: openssl dgst -sha256 -sign update.key.pem -out release.sig release.json',
        ),
    handler: async (argv) => {
      const {directory} = await findRelease(DEFAULT_OUT_DIR, argv.release);
      const signing = await signingOf(argv);
      const {path, signedBy} = await signReleaseFile(resolve(directory), signing);
      print(argv.json, {path, signedBy}, [
        path,
        ...signedBy.map((fingerprint) => `  signed by key ${fingerprint}`),
      ]);
    },
  };
}

async function signingOf(argv: SignArguments): Promise<Parameters<typeof signReleaseFile>[1]> {
  const {key, signature, 'public-key': publicKey} = argv;
  if (signature.length === 0 && publicKey.length === 0) {
    const paths = key.length > 0 ? key : await findKeyFiles(DEFAULT_KEYS_DIR, 'private');
    if (paths.length === 0)
      throw new PayloadUsageError('usage', 'there is no key to sign with', {
        hint: 'make one with: caisson keys; or name one with --key, or bring --public-key and --signature',
      });
    return {kind: 'keys', privateKeys: await readPrivateKeys(paths)};
  }
  if (key.length > 0 || signature.length !== publicKey.length)
    throw new PayloadUsageError('usage', 'give --key, or --public-key and --signature for each signature');
  const signatures = await readSignatures(signature);
  return {
    kind: 'given',
    given: (await readPublicKeys(publicKey)).map((each, index) => ({
      key: each.key,
      fingerprint: keyFingerprint(each.key),
      signature: signatures[index] ?? new Uint8Array(),
    })),
  };
}

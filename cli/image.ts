/** caisson image */
import {randomBytes} from 'node:crypto';
import {rename, rm} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {claimCache} from '../build/cache.ts';
import {IMAGE_FORMATS, type ImageFormat, convertRelease, describeImage} from '../build/convert.ts';
import {CodedError} from '../formats/errors.ts';
import {formatBytes} from '../formats/units.ts';
import {pathExists, syncDirectory} from '../platform/files.ts';
import {BUILD_PROGRAMS, requirePrograms} from '../platform/host-packages.ts';
import {isInNamespace, reenterInNamespace} from '../platform/namespace.ts';
import {DEFAULT_OUT_DIR, ROOT_DIR, defaultCacheDir} from './paths.ts';
import {findRelease} from './releases.ts';
import {terminalLog} from './terminal.ts';

class ImageError extends CodedError<'usage' | 'exists'> {}

interface Arguments {
  release?: string;
  format: ImageFormat;
  out?: string;
  payload?: string;
  force: boolean;
  json: boolean;
  cache: string;
}

export function imageCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'image [release]',
    describe: 'Write a release as the image that a hypervisor, a cloud or a USB stick wants',
    builder: (yargs) =>
      yargs
        .positional('release', {
          type: 'string',
          describe: 'A version below out/, or the directory of a release; default is the newest',
        })
        .option('format', {
          choices: IMAGE_FORMATS,
          demandOption: true,
          describe: 'The form; iso is a live system that installs',
        })
        .option('out', {
          type: 'string',
          defaultDescription: 'ID-VERSION.FORMAT here',
          describe: 'The file to write',
        })
        .option('payload', {
          type: 'string',
          describe: 'With iso: a payload that lies on it, to install without a network',
        })
        .option('force', {type: 'boolean', default: false, describe: 'Write over a file that is there'})
        .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
        .option('cache', {
          type: 'string',
          default: defaultCacheDir(process.env),
          describe: 'Where packages and results of steps are kept',
        })
        .example('$0 image --format vmdk', 'of the newest release')
        .example('$0 image 0.2.0 --format iso --payload out/0.2.0/update.payload', ''),
    handler: async (argv) => {
      const {format} = argv;
      const {directory, release} = await findRelease(DEFAULT_OUT_DIR, argv.release);
      const out = resolve(argv.out ?? `${release.id}-${release.version}.${format}`);
      if (argv.payload !== undefined && format !== 'iso')
        throw new ImageError('usage', '--payload goes with --format iso');
      if (!argv.force && (await pathExists(out)))
        throw new ImageError('exists', `${out} is there already`, {
          hint: 'name another with --out, or use --force',
        });
      const cacheDir = resolve(argv.cache);
      await claimCache(cacheDir);
      if (!isInNamespace()) {
        await requirePrograms(BUILD_PROGRAMS, process.env['PATH'] ?? '');
        process.exitCode = await reenterInNamespace(join(cacheDir, 'lock'), () => {
          process.stderr.write('A build uses this cache; waiting for it\n');
        });
        return;
      }
      const temporary = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString('hex')}`);
      try {
        await convertRelease({
          ...{rootDir: ROOT_DIR, cacheDir, directory, release, format, out: temporary, signal},
          payload: argv.payload === undefined ? undefined : resolve(argv.payload),
          log: terminalLog(false),
        });
        signal.throwIfAborted();
        await rename(temporary, out);
        await syncDirectory(dirname(out));
      } finally {
        await rm(temporary, {force: true});
      }
      const {bytes, sha256} = await describeImage(out);
      const text = argv.json
        ? JSON.stringify({path: out, format, version: release.version, bytes, sha256}, undefined, 2)
        : `${out}: ${formatBytes(bytes)}\n  SHA-256 ${sha256}`;
      process.stdout.write(`${text}\n`);
    },
  };
}

/** caisson build */
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {claimCache} from '../build/cache.ts';
import {build} from '../build/main.ts';
import {BUILD_PROGRAMS, requirePrograms} from '../platform/host-packages.ts';
import {isInNamespace, reenterInNamespace} from '../platform/namespace.ts';
import {DEFAULT_OUT_DIR, ROOT_DIR, defaultCacheDir} from './paths.ts';
import {printRelease} from './print.ts';
import {terminalLog} from './terminal.ts';

interface Arguments {
  site?: string;
  lock?: string;
  'release-version'?: string;
  channel?: string;
  'update-key'?: string[];
  'channel-key'?: string[];
  mirror?: string;
  'security-mirror'?: string;
  'sector-size': number;
  out: string;
  cache: string;
  json: boolean;
  verbose: boolean;
}

export function buildCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'build',
    describe: 'Build a release from Debian packages',
    builder: (yargs) =>
      yargs
        .option('site', {
          type: 'string',
          describe:
            'Your own additions: a YAML file, with a folder of the same name beside it for files; see docs/customise.md',
        })
        .option('lock', {type: 'string', describe: 'Use exactly the packages of this packages.lock.json'})
        .option('release-version', {
          alias: 'V',
          type: 'string',
          describe: 'Version of the release, for example 1.4.0',
        })
        .option('channel', {
          type: 'string',
          describe: 'Channel that a host of this release follows by default',
        })
        .option('update-key', {
          type: 'string',
          array: true,
          describe:
            'A public key (PEM) whose signatures the hosts accept; may be repeated. Default: keys/*.pub.pem',
        })
        .option('channel-key', {
          type: 'string',
          array: true,
          describe:
            'A public key (PEM) of those who sign channels; may be repeated. Default: keys/channel/*.pub.pem',
        })
        .option('mirror', {
          type: 'string',
          describe: "Debian mirror; default is the one of this machine's apt",
        })
        .option('security-mirror', {
          type: 'string',
          describe: 'Mirror of the security archive; default follows from the mirror',
        })
        .option('sector-size', {
          choices: [512, 4096],
          default: 512,
          describe: 'Bytes of a sector of the disk that the image is for',
        })
        .option('out', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'Where releases go, one folder for each version',
        })
        .option('cache', {
          type: 'string',
          default: defaultCacheDir(process.env),
          describe: 'Where packages and results of steps are kept',
        })
        .option('json', {type: 'boolean', default: false, describe: 'Print the release as JSON'})
        .option('verbose', {
          alias: 'v',
          type: 'boolean',
          default: false,
          describe: 'Also name steps that had nothing to do',
        }),
    handler: async (argv) => {
      const cacheDir = resolve(argv.cache);
      await claimCache(cacheDir);
      if (!isInNamespace()) {
        await requirePrograms(BUILD_PROGRAMS, process.env['PATH'] ?? '');
        process.exitCode = await reenterInNamespace(join(cacheDir, 'lock'), () => {
          process.stderr.write('Another build uses this cache; waiting for it\n');
        });
        return;
      }
      const made = await build({
        rootDir: ROOT_DIR,
        outDir: resolve(argv.out),
        cacheDir,
        site: argv.site === undefined ? undefined : resolve(argv.site),
        lockFile: argv.lock,
        version: argv['release-version'],
        channel: argv.channel,
        updateKeys: argv['update-key']?.map((path) => resolve(path)),
        channelKeys: argv['channel-key']?.map((path) => resolve(path)),
        mirror: argv.mirror,
        securityMirror: argv['security-mirror'],
        sectorSize: argv['sector-size'] === 4096 ? 4096 : 512,
        log: terminalLog(argv.verbose),
        signal,
      });
      printRelease(made, argv.json);
    },
  };
}

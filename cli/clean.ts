/** caisson clean */
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {claimCache} from '../build/cache.ts';
import {planClean, removeItems} from '../build/clean.ts';
import {CodedError} from '../formats/errors.ts';
import {formatBytes} from '../formats/units.ts';
import {isInNamespace, reenterInNamespace} from '../platform/namespace.ts';
import {DEFAULT_OUT_DIR, defaultCacheDir} from './paths.ts';

class CleanError extends CodedError<'busy'> {}

interface Arguments {
  packages: boolean;
  out?: string;
  all: boolean;
  'dry-run': boolean;
  json: boolean;
  cache: string;
}

export function cleanCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'clean',
    describe: 'Free what builds keep: results of steps, and with options packages and releases',
    builder: (yargs) =>
      yargs
        .option('packages', {
          type: 'boolean',
          default: false,
          describe: 'Also the packages, which the next build fetches again',
        })
        .option('out', {
          type: 'string',
          describe: 'Also the releases in out/, or in the directory named here',
        })
        .option('all', {type: 'boolean', default: false, describe: 'All of these'})
        .option('dry-run', {type: 'boolean', default: false, describe: 'Only say what would be removed'})
        .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
        .option('cache', {
          type: 'string',
          default: defaultCacheDir(process.env),
          describe: 'Where packages and results of steps are kept',
        }),
    handler: async (argv) => {
      const cacheDir = resolve(argv.cache);
      await claimCache(cacheDir);
      if (!isInNamespace()) {
        // Within, because what a build of an ordinary user leaves behind may belong to subordinate ids.
        process.exitCode = await reenterInNamespace(join(cacheDir, 'lock'), () => {
          throw new CleanError('busy', `a build is using ${cacheDir}`, {hint: 'wait for it to end'});
        });
        return;
      }
      const items = await planClean({
        cacheDir,
        outDir: resolve(argv.out === undefined || argv.out === '' ? DEFAULT_OUT_DIR : argv.out),
        packages: argv.packages || argv.all,
        releases: argv.out !== undefined || argv.all,
      });
      if (!argv['dry-run']) await removeItems(items, signal);
      const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
      if (argv.json) {
        process.stdout.write(`${JSON.stringify({removed: !argv['dry-run'], bytes, items}, undefined, 2)}\n`);
        return;
      }
      const lines = items.map(
        (item) => `${formatBytes(item.bytes).padStart(8)}  ${item.path} (${item.what})`,
      );
      const total = argv['dry-run'] ? 'would be freed' : 'freed';
      lines.push(
        items.length === 0 ? 'There is nothing to remove' : `${formatBytes(bytes).padStart(8)}  ${total}`,
      );
      process.stdout.write(`${lines.join('\n')}\n`);
    },
  };
}

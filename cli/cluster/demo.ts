/** caisson cluster demo */
import {mkdir} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {BUILD_PROGRAMS, RUN_PROGRAMS, requirePrograms} from '../../platform/host-packages.ts';
import {DEFAULT_OUT_DIR} from '../paths.ts';
import {tellClusterDemo} from './demo-story.ts';
import {CPUS_OPTION, DIR_OPTION, MEMBERS_OPTION, MEMORY_OPTION, sayWithTimes} from './options.ts';

interface Arguments {
  releases: string;
  dir: string;
  members: number;
  memory: number;
  cpus: number;
  drill: boolean;
}

export function clusterDemoCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'demo',
    describe: 'Watch a cluster update itself without losing its majority, or a write',
    builder: (yargs) =>
      yargs
        .option('releases', {
          type: 'string',
          default: join(DEFAULT_OUT_DIR, 'demo'),
          defaultDescription: 'out/demo/',
          describe: 'Its releases, keys and channels, shared with caisson demo; kept for the next time',
        })
        .option('dir', DIR_OPTION)
        .option('members', MEMBERS_OPTION)
        .option('memory', MEMORY_OPTION)
        .option('cpus', CPUS_OPTION)
        .option('drill', {
          type: 'boolean',
          default: false,
          describe: 'Only restart the hosts, one after the other; no update, no lock',
        })
        .example('$0 cluster demo', 'three hosts go from one release to the next, one at a time'),
    handler: async (argv) => {
      await requirePrograms([...BUILD_PROGRAMS, ...RUN_PROGRAMS], process.env['PATH'] ?? '');
      const directory = resolve(argv.releases);
      await mkdir(directory, {recursive: true});
      const write = (text: string): void => void process.stdout.write(text);
      await tellClusterDemo({
        ...{directory, clusterDirectory: resolve(argv.dir), signal},
        ...{members: argv.members, memoryMiB: argv.memory, cpus: argv.cpus, isDrill: argv.drill},
        say: sayWithTimes(write, () => performance.now()),
        print: (text) => write(`\n${text}`),
      });
    },
  };
}

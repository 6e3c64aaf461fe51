/** caisson cluster up */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {RUN_PROGRAMS, requirePrograms} from '../../platform/host-packages.ts';
import {DEFAULT_OUT_DIR} from '../paths.ts';
import {findRelease} from '../releases.ts';
import {ClusterError} from './errors.ts';
import {CPUS_OPTION, DIR_OPTION, MEMBERS_OPTION, MEMORY_OPTION, sayWithTimes} from './options.ts';
import {type OwnedCluster, withOwnedCluster} from './owner.ts';
import {formatClusterStatus} from './status-text.ts';

interface Arguments {
  members: number;
  release?: string;
  memory: number;
  cpus: number;
  set: string[];
  out: string;
  dir: string;
}

/** `caisson serve` on this machine, as guests see it. */
const DEFAULT_SETTINGS = {
  GROUP: 'stable',
  SERVER: 'http://10.0.2.2:8000/v1/update/',
  REBOOT_STRATEGY: 'etcd-lock',
};

export function upCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'up',
    describe: 'Start a cluster, and run it until Ctrl-C or caisson cluster down',
    builder: (yargs) =>
      yargs
        .option('members', MEMBERS_OPTION)
        .option('release', {
          type: 'string',
          describe: 'A version below out/ or the directory of a release; default the newest',
        })
        .option('memory', MEMORY_OPTION)
        .option('cpus', CPUS_OPTION)
        .option('set', {
          type: 'string',
          array: true,
          default: [],
          defaultDescription: 'etcd-lock, and caisson serve on this machine',
          describe: 'KEY=VALUE for update.conf of the hosts, on top of what they have',
        })
        .option('out', {
          type: 'string',
          default: DEFAULT_OUT_DIR,
          defaultDescription: 'out/',
          describe: 'Where releases are',
        })
        .option('dir', DIR_OPTION)
        .example('$0 cluster up', 'three hosts of the newest release')
        .example('$0 cluster up --set REBOOT_STRATEGY=off', 'hosts that do not reboot by themselves'),
    handler: async (argv) => {
      await requirePrograms(RUN_PROGRAMS, process.env['PATH'] ?? '');
      const say = sayWithTimes(
        (text) => process.stdout.write(text),
        () => performance.now(),
      );
      const options = {
        directory: resolve(argv.dir),
        release: await findRelease(resolve(argv.out), argv.release),
        members: argv.members,
        memoryMiB: argv.memory,
        cpus: argv.cpus,
        updateSettings: {...DEFAULT_SETTINGS, ...parseSettings(argv.set)},
        signal,
        say,
      };
      try {
        await withOwnedCluster(options, async (owned) => {
          process.stdout.write(
            `\n${formatClusterStatus(await owned.observer.status(owned.signal))}${HELP}\n`,
          );
          await untilAborted(owned);
        });
      } catch (error) {
        if (!(error instanceof ClusterError) || error.code !== 'stopped') throw error;
        say(error.message);
      }
    },
  };
}

const HELP = `
  caisson cluster status --watch    this screen, again and again
  caisson cluster ssh 1             log in
  caisson cluster cut 2             take node2 off the network; join 2 brings it back
  caisson cluster down              end it, as Ctrl-C here does
`;

/** Throws ClusterError 'usage'. */
export function parseSettings(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(word) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new ClusterError('usage', `--set ${word} is not KEY=VALUE`, {
        hint: 'for example --set REBOOT_STRATEGY=off',
      });
    }),
  );
}

async function untilAborted({signal}: OwnedCluster): Promise<never> {
  signal.throwIfAborted();
  return new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), {once: true});
  });
}

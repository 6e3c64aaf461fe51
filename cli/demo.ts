/** caisson demo */
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {BUILD_PROGRAMS, RUN_PROGRAMS, requirePrograms} from '../platform/host-packages.ts';
import {tellDemo} from './demo/story.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';

interface Arguments {
  dir: string;
  memory: number;
}

export function demoCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'demo',
    describe: 'Watch a machine in QEMU update itself, and come back from a release that is broken',
    builder: (yargs) =>
      yargs
        .option('dir', {
          type: 'string',
          default: join(DEFAULT_OUT_DIR, 'demo'),
          defaultDescription: 'out/demo/',
          describe: 'Its releases, keys and channels; kept for the next time, about 8 GB',
        })
        .option('memory', {
          alias: 'm',
          type: 'number',
          default: 2048,
          describe: 'MiB of memory of the machine',
        })
        .example('$0 demo', 'three releases, two updates, one rollback; a line for each thing that happens'),
    handler: async ({dir, memory}) => {
      await requirePrograms([...BUILD_PROGRAMS, ...RUN_PROGRAMS], process.env['PATH'] ?? '');
      const directory = resolve(dir);
      await mkdir(directory, {recursive: true});
      const machineFolder = await mkdtemp(join(directory, '.machine-'));
      const began = performance.now();
      const say = (text: string): void => {
        const seconds = ((performance.now() - began) / 1000).toFixed(0).padStart(4);
        process.stdout.write(`[${seconds} s] ${text}\n`);
      };
      try {
        await tellDemo({directory, machineFolder, memoryMiB: memory, signal, say});
      } finally {
        await rm(machineFolder, {recursive: true, force: true});
      }
    },
  };
}

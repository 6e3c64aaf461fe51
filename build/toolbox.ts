/**
 * The tools tree: a small Debian system that exists only inside this build's mount namespace and holds every program
 * that shapes bytes, so that a build gives the same result on any host. It is unpacked into memory (a tmpfs of the
 * namespace) when the first step asks for it; a step whose result is kept never pays for it.
 */
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {type Argv, type ExecOptions, type ExecResult, exec} from '../platform/exec.ts';
import {pathExists} from '../platform/files.ts';

export interface Toolbox {
  /** Runs a program of the tools tree, without network. The build's own directories have the same paths inside. */
  run(argv: Argv, options?: Omit<ExecOptions, 'cwd'>): Promise<ExecResult>;
  /** The command line that `run` would use, for a pipe. */
  argv(argv: Argv): Promise<Argv>;
}

export interface ToolboxOptions {
  scratchDir: string;
  /** Directories that are visible inside under their own paths. */
  shared: readonly string[];
  signal: AbortSignal;
}

/** `archive` resolves to the tar of the tools tree; it is awaited at the first use. */
export function createToolbox(archive: () => Promise<string>, options: ToolboxOptions): Toolbox {
  const root = join(options.scratchDir, 'tools');
  let ready: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    await mkdir(root, {recursive: true});
    await exec(['tar', '--extract', '--exclude=./dev/*', '--file', await archive(), '--directory', root], {
      signal: options.signal,
    });
    await bind('/dev', join(root, 'dev'));
    await bind('/sys', join(root, 'sys'));
    await exec(['mount', '-t', 'proc', 'proc', join(root, 'proc')]);
    for (const directory of options.shared) {
      const target = join(root, directory);
      await mkdir(target, {recursive: true});
      await bind(directory, target);
    }
  }

  async function chrootArgv(argv: Argv): Promise<Argv> {
    ready ??= prepare();
    await ready;
    return ['unshare', '--net', 'chroot', root, ...argv];
  }

  return {
    argv: chrootArgv,
    async run(argv, runOptions = {}) {
      return exec(await chrootArgv(argv), {
        signal: options.signal,
        ...runOptions,
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          LC_ALL: 'C.UTF-8',
          TMPDIR: '/tmp',
          TZ: 'UTC',
          ...runOptions.env,
        },
      });
    },
  };
}

/**
 * A directory that the build may fill with trees: memory when the machine has enough of it, because thousands of
 * small files are ten times faster there, else a directory in the cache. Returns how to give it back; a build that is
 * killed leaves nothing in memory, and on disk what the next build removes.
 */
export async function mountScratch(directory: string, freeMemoryBytes: number): Promise<() => Promise<void>> {
  await mkdir(directory, {recursive: true});
  if (freeMemoryBytes >= SCRATCH_NEEDS_BYTES) {
    await exec([
      'mount',
      '-t',
      'tmpfs',
      '-o',
      `size=${SCRATCH_LIMIT_BYTES},mode=0755`,
      'caisson-scratch',
      directory,
    ]);
    return () => Promise.resolve();
  }
  const empty = async (): Promise<void> => {
    await exec(['find', directory, '-xdev', '-mindepth', '1', '-delete'], {okCodes: [0, 1]});
  };
  await empty();
  return empty;
}

/** Both trees, the packages unpacked and the image files in the making stay below this. */
const SCRATCH_LIMIT_BYTES = 5 * 2 ** 30;
const SCRATCH_NEEDS_BYTES = 8 * 2 ** 30;

async function bind(from: string, to: string): Promise<void> {
  if (await pathExists(to)) await exec(['mount', '--rbind', from, to]);
}

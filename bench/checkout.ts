/** A copy of this checkout with a cache of its own that has the packages but no results: what a clean build finds. */
import {cp, mkdir, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {defaultCacheDir} from '../cli/paths.ts';
import {type Argv, exec} from '../platform/exec.ts';

const ROOT = join(import.meta.dirname, '..');
const SKIPPED = new Set(['out', '.git']);

export interface Checkout {
  directory: string;
  cacheDir: string;
  /** The last release that was built. */
  release: string;
  build: (...options: string[]) => Promise<void>;
}

export async function makeCheckout(workDir: string): Promise<Checkout> {
  const directory = join(workDir, 'checkout');
  await mkdir(directory);
  for (const name of await readdir(ROOT)) {
    if (!SKIPPED.has(name))
      await cp(join(ROOT, name), join(directory, name), {recursive: true, verbatimSymlinks: true});
  }
  const cacheDir = join(workDir, 'cache');
  await mkdir(cacheDir);
  const packages = join(defaultCacheDir(process.env), 'packages');
  await exec(['cp', '--recursive', '--reflink=auto', packages, join(cacheDir, 'packages')]);
  const checkout: Checkout = {
    directory,
    cacheDir,
    release: '',
    async build(...options) {
      const argv: Argv = [join(directory, 'caisson'), 'build', '--json', '--cache', cacheDir, ...options];
      const {stdout} = await exec(argv);
      checkout.release = (JSON.parse(stdout) as {directory: string}).directory;
    },
  };
  return checkout;
}

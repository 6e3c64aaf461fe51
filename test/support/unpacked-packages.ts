/**
 * Programs of Debian that tests run from a folder, without installing anything: packages of the release under test, or
 * others of the suites it was made from. From the package cache or fetched into it, checked by their hashes.
 */
import {mkdir, mkdtemp, readFile, readdir, rename, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {createApt} from '../../build/apt.ts';
import {claimCache} from '../../build/cache.ts';
import {type LockedPackage, type PackageLock, parseLock} from '../../build/lock.ts';
import {type Mirror, aptSources, findMirror} from '../../build/mirror.ts';
import {fetchPackages, packagePath} from '../../build/packages.ts';
import {ROOT_DIR, defaultCacheDir} from '../../cli/paths.ts';
import {exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {type HttpClient, createHttpClient} from '../../platform/http.ts';
import {silentLog} from '../../platform/log.ts';

const TIMEOUT_MS = 10 * 60_000;

/** Throws when no release was built yet: its lock says which packages there are. */
export async function readReleaseLock(): Promise<PackageLock> {
  const path = join(await findRelease(), 'packages.lock.json');
  return parseLock(await readFile(path, 'utf8'), path);
}

export function packagesOfRelease({os}: PackageLock, names: readonly string[]): LockedPackage[] {
  return names.map((name) => {
    const found = os.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`the release has no package ${name}`);
    return found;
  });
}

/** A package that the release does not hold, as its suites have it now. */
export async function packageOfSuites({suites}: PackageLock, name: string): Promise<LockedPackage> {
  const folder = await mkdtemp(join(tmpdir(), 'apt-'));
  try {
    const sources = aptSources(await findMirror({}), suites);
    const apt = await createApt(folder, sources, AbortSignal.timeout(TIMEOUT_MS));
    await apt.update();
    const [found] = await apt.show([name]);
    if (found === undefined) throw new Error(`${suites.join(', ')} have no package ${name}`);
    return found;
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

/** The packages' files appear in `folder`, whole, unless it is there already. */
export async function unpackPackages(folder: string, packages: readonly LockedPackage[]): Promise<void> {
  if (await pathExists(folder)) return;
  const cacheRoot = defaultCacheDir(process.env);
  await claimCache(cacheRoot);
  let mirror: Promise<Mirror> | undefined;
  let http: HttpClient | undefined;
  const getMirror = (): Promise<Mirror> => (mirror ??= findMirror({}));
  const cache = {
    directory: join(cacheRoot, 'packages'),
    mirror: getMirror,
    http: async () => (http ??= createHttpClient({proxy: (await getMirror()).proxy})),
    log: silentLog,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  try {
    await fetchPackages(cache, packages);
  } finally {
    await http?.close();
  }
  await mkdir(dirname(folder), {recursive: true});
  const temporary = await mkdtemp(join(dirname(folder), `${basename(folder)}-unpacking-`));
  try {
    for (const entry of packages) await exec(['dpkg-deb', '--extract', packagePath(cache, entry), temporary]);
    // Another test file may have been faster; what it unpacked is the same.
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (!(await pathExists(folder))) throw error;
    });
  } finally {
    await rm(temporary, {recursive: true, force: true});
  }
}

/** The one that the tests were given, or the last that they built. */
async function findRelease(): Promise<string> {
  const named = process.env['CAISSON_RELEASE_DIR'];
  if (named !== undefined && named !== '') return named;
  const parent = join(ROOT_DIR, 'out/test');
  const names = (await pathExists(parent)) ? await readdir(parent) : [];
  for (const name of names.sort().reverse())
    if (await pathExists(join(parent, name, 'packages.lock.json'))) return join(parent, name);
  throw new Error('there is no release yet whose packages could be used (hint: npm test -- build)');
}

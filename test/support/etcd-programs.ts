/**
 * etcd and etcdctl of the release under test: the very packages that its lock names, from the package cache or fetched
 * into it, checked by their hashes, and unpacked once for each pair of hashes.
 */
import {mkdir, mkdtemp, readFile, readdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {claimCache} from '../../build/cache.ts';
import {parseLock} from '../../build/lock.ts';
import {type Mirror, findMirror} from '../../build/mirror.ts';
import {fetchPackages, packagePath} from '../../build/packages.ts';
import {ROOT_DIR, defaultCacheDir} from '../../cli/paths.ts';
import {exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {type HttpClient, createHttpClient} from '../../platform/http.ts';
import {silentLog} from '../../platform/log.ts';

export interface EtcdPrograms {
  readonly etcd: string;
  readonly etcdctl: string;
}

const PACKAGES = ['etcd-server', 'etcd-client'];

/** Throws when no release was built yet: its lock says which etcd it is. */
export async function etcdPrograms(): Promise<EtcdPrograms> {
  const lockFile = join(await findRelease(), 'packages.lock.json');
  const {os} = parseLock(await readFile(lockFile, 'utf8'), lockFile);
  const packages = PACKAGES.map((name) => {
    const found = os.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`${lockFile} has no package ${name}`);
    return found;
  });
  const parent = join(ROOT_DIR, 'out/test-etcd');
  const folder = join(parent, packages.map(({sha256}) => sha256.slice(0, 16)).join('-'));
  const programs = {etcd: join(folder, 'usr/bin/etcd'), etcdctl: join(folder, 'usr/bin/etcdctl')};
  if (await pathExists(programs.etcdctl)) return programs;

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
    signal: AbortSignal.timeout(10 * 60_000),
  };
  try {
    await fetchPackages(cache, packages);
  } finally {
    await http?.close();
  }
  await mkdir(parent, {recursive: true});
  const temporary = await mkdtemp(join(parent, 'unpacking-'));
  try {
    for (const entry of packages) await exec(['dpkg-deb', '--extract', packagePath(cache, entry), temporary]);
    // Another test file may have been faster; what it unpacked is the same.
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (!(await pathExists(programs.etcdctl))) throw error;
    });
  } finally {
    await rm(temporary, {recursive: true, force: true});
  }
  return programs;
}

/** The one that the tests were given, or the last that they built. */
async function findRelease(): Promise<string> {
  const named = process.env['CAISSON_RELEASE_DIR'];
  if (named !== undefined && named !== '') return named;
  const parent = join(ROOT_DIR, 'out/test');
  const names = (await pathExists(parent)) ? await readdir(parent) : [];
  for (const name of names.sort().reverse())
    if (await pathExists(join(parent, name, 'packages.lock.json'))) return join(parent, name);
  throw new Error('there is no release yet whose etcd could be used (hint: npm test -- build)');
}

/**
 * The package cache: .deb files under the SHA-256 of their content, shared by all builds of this user. A file is in
 * it only after its hash was checked, and checked again before each use: what a cache held yesterday proves nothing
 * about today. What is damaged is fetched again.
 */
import {createHash} from 'node:crypto';
import {mkdir, readFile, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {exec} from '../platform/exec.ts';
import {pathExists, sha256File, writeFileAtomic} from '../platform/files.ts';
import {HttpError} from '../platform/http-error.ts';
import type {HttpClient} from '../platform/http.ts';
import type {Log} from '../platform/log.ts';
import type {LockedPackage} from './lock.ts';
import type {Mirror} from './mirror.ts';

export class PackageError extends CodedError<'package-gone' | 'package-not-kept'> {}

const PARALLEL_DOWNLOADS = 8;
const PARALLEL_READERS = 4;

export interface PackageCache {
  directory: string;
  /** Undefined when a build from a lock finds every package in the cache and needs no mirror. */
  mirror: () => Promise<Mirror>;
  http: () => Promise<HttpClient>;
  log: Log;
  signal: AbortSignal;
}

export function packagePath(cache: {directory: string}, entry: LockedPackage): string {
  return join(cache.directory, `${entry.sha256}.deb`);
}

/**
 * Fetches what is missing or damaged. Throws PackageError naming what the mirror no longer has or the disk
 * does not take.
 */
export async function fetchPackages(cache: PackageCache, packages: readonly LockedPackage[]): Promise<void> {
  await mkdir(cache.directory, {recursive: true});
  const missing: LockedPackage[] = [];
  await inParallel(PARALLEL_READERS, packages, async (entry) => {
    if (!(await isWhole(cache, entry))) missing.push(entry);
  });
  if (missing.length === 0) return;
  const total = missing.reduce((sum, entry) => sum + entry.bytes, 0);
  const mirror = await cache.mirror();
  const http = await cache.http();
  await cache.log.step(`Fetching ${missing.length} packages`, async (progress) => {
    let done = 0;
    progress.update(0, total);
    await inParallel(PARALLEL_DOWNLOADS, missing, async (entry) => {
      const url = new URL(entry.filename, entry.archive === 'security' ? mirror.security : mirror.main).href;
      try {
        await http.download(url, packagePath(cache, entry), entry, {
          signal: cache.signal,
          onBytes: (count) => progress.update((done += count), total),
        });
      } catch (error) {
        cache.signal.throwIfAborted();
        if (!(error instanceof HttpError))
          throw new PackageError(
            'package-not-kept',
            `cannot keep ${entry.name} ${entry.version} in ${cache.directory}: ${(error as Error).message}`,
            {cause: error},
          );
        throw new PackageError(
          'package-gone',
          `cannot fetch ${entry.name} ${entry.version}: ${(error as Error).message}`,
          {
            cause: error,
            hint: 'a mirror keeps only current versions; name one that keeps old ones with --mirror, or build without --lock',
          },
        );
      }
    });
  });
}

async function isWhole(cache: PackageCache, entry: LockedPackage): Promise<boolean> {
  const file = packagePath(cache, entry);
  if (!(await pathExists(file))) return false;
  if ((await sha256File(file, cache.signal)) === entry.sha256) return true;
  cache.log.warn(`${file} (${entry.name} ${entry.version}) is damaged; fetching it again`);
  return false;
}

/**
 * A repository on disk that holds exactly these packages, so that apt has nothing else to choose from. They have to be
 * in the cache, see `fetchPackages`.
 */
export async function makeLocalRepository(
  cache: PackageCache,
  packages: readonly LockedPackage[],
  directory: string,
  suite: string,
): Promise<void> {
  const index = join(directory, 'dists', suite, 'main', 'binary-amd64');
  await mkdir(index, {recursive: true});
  await mkdir(join(directory, 'pool'), {recursive: true});
  const stanzas = new Map<string, string>();
  await inParallel(PARALLEL_READERS, packages, async (entry) => {
    const file = packagePath(cache, entry);
    await symlink(file, join(directory, 'pool', `${entry.sha256}.deb`));
    stanzas.set(entry.name, await controlStanza(file, entry));
  });
  const ordered = [...stanzas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stanza]) => stanza);
  await writeFile(join(index, 'Packages'), ordered.join('\n'));
  await writeFile(
    join(directory, 'dists', suite, 'Release'),
    `Origin: Debian\nSuite: ${suite}\nCodename: ${suite}\nArchitectures: amd64\nComponents: main\n`,
  );
}

/** The control file's fields plus where the package lies. */
async function controlStanza(file: string, entry: LockedPackage): Promise<string> {
  const control = await readControl(file);
  return `${control.trimEnd()}\nFilename: pool/${entry.sha256}.deb\nSize: ${entry.bytes}\nSHA256: ${entry.sha256}\n`;
}

/**
 * Kept beside the package under its own hash, because asking dpkg takes 5 ms each; a kept one that is damaged is made
 * anew without a word.
 */
async function readControl(file: string): Promise<string> {
  const kept = `${file}.control`;
  if (await pathExists(kept)) {
    const control = unseal(await readFile(kept, 'utf8'));
    if (control !== undefined) return control;
  }
  const control = (await exec(['dpkg-deb', '--field', file])).stdout;
  await writeFileAtomic(kept, seal(control));
  return control;
}

/** The text behind a line with its hash. */
export function seal(text: string): string {
  return `${createHash('sha256').update(text).digest('hex')}\n${text}`;
}

/** Undefined when the text is not the one that was sealed. */
function unseal(sealed: string): string | undefined {
  const text = sealed.slice(sealed.indexOf('\n') + 1);
  return seal(text) === sealed ? text : undefined;
}

/** The first error stops the others from beginning anything new, and leaves only when they are done. */
async function inParallel<T>(
  width: number,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let hasFailed = false;
  const workers = Array.from({length: width}, async () => {
    for (const item of queue) {
      if (hasFailed) return;
      try {
        await run(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  });
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/**
 * From names to exact packages. The answer is kept as long as the archive's signed index files stay the same, so that
 * a build with nothing new asks the mirror a few small questions and no more.
 */
import {createHash} from 'node:crypto';
import {mkdir, readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {pathExists, writeFileAtomic} from '../platform/files.ts';
import type {HttpClient} from '../platform/http.ts';
import type {Log} from '../platform/log.ts';
import {createApt} from './apt.ts';
import type {Definition} from './definition.ts';
import {LockError, type LockedPackage, type PackageLock, formatLock, parseLock} from './lock.ts';
import {type Mirror, MirrorError, aptSources, suiteBase} from './mirror.ts';

export interface ResolveContext {
  cacheDir: string;
  scratchDir: string;
  http: HttpClient;
  log: Log;
  signal: AbortSignal;
}

/** InRelease of a Debian suite is about 200 kB. */
const MAX_INRELEASE_BYTES = 4 << 20;

export function requestOf(definition: Definition): PackageLock['requested'] {
  return {
    os: [...new Set(definition.packages.include)].sort(),
    unpack: [...definition.packages.unpack].sort(),
    kernel: definition.kernel.package,
    tools: [...new Set(definition.tools)].sort(),
  };
}

export async function resolvePackages(
  definition: Definition,
  mirror: Mirror,
  context: ResolveContext,
): Promise<PackageLock> {
  const indexes = await readIndexes(definition.suites, mirror, context);
  const requested = requestOf(definition);
  const key = createHash('sha256')
    .update(
      JSON.stringify({requested, suites: definition.suites, indexes: indexes.map(({sha256}) => sha256)}),
    )
    .digest('hex');
  const kept = join(context.cacheDir, 'locks', `${key}.json`);
  const earlier = await readKept(kept);
  if (earlier !== undefined) return earlier;

  return context.log.step('Choosing packages', async (progress) => {
    const directory = join(context.scratchDir, 'apt');
    const apt = await createApt(directory, aptSources(mirror, definition.suites), context.signal);
    progress.note('reading the indexes of the mirror');
    await apt.update();
    progress.note('solving');
    const sourceDate = Math.max(...indexes.map(({date}) => date));
    const kernel = await apt.show([await apt.resolveMeta(requested.kernel)]);
    const lock: PackageLock = {
      format: 'caisson-lock-1',
      sourceDate,
      suites: definition.suites,
      requested,
      os: markArchive(await apt.solve(requested.os)),
      unpack: markArchive(await apt.show(requested.unpack)),
      kernel: markArchive(kernel),
      tools: markArchive(await apt.solve(requested.tools)),
    };
    await rm(directory, {recursive: true, force: true});
    await mkdir(join(context.cacheDir, 'locks'), {recursive: true});
    const steady = await keepSourceDate(lock, join(context.cacheDir, 'locks', 'newest.json'));
    await writeFileAtomic(kept, formatLock(steady));
    return steady;
  });
}

/** Mirrors sign their indexes anew several times a day; with the same packages that is no reason to build again. */
async function keepSourceDate(lock: PackageLock, newest: string): Promise<PackageLock> {
  const before = await readKept(newest);
  const isSame =
    before !== undefined && formatLock({...lock, sourceDate: before.sourceDate}) === formatLock(before);
  const steady = parseLock(formatLock(isSame ? before : lock), newest);
  await writeFileAtomic(newest, formatLock(steady));
  return steady;
}

/** Undefined for a lock that is not there, was damaged, or comes from a version of Caisson with other rules. */
async function readKept(path: string): Promise<PackageLock | undefined> {
  if (!(await pathExists(path))) return undefined;
  try {
    return parseLock(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof LockError) return undefined;
    throw error;
  }
}

/** The security archive keeps its pool below updates/. */
function markArchive(packages: readonly LockedPackage[]): LockedPackage[] {
  return packages.map((entry) => ({
    ...entry,
    archive: entry.filename.startsWith('pool/updates/') ? 'security' : 'main',
  }));
}

async function readIndexes(
  suites: readonly string[],
  mirror: Mirror,
  {http, signal}: ResolveContext,
): Promise<{sha256: string; date: number}[]> {
  return Promise.all(
    suites.map(async (suite) => {
      const url = `${suiteBase(mirror, suite)}dists/${suite}/InRelease`;
      let body: Buffer;
      try {
        body = await http.getBytes(url, {maxBytes: MAX_INRELEASE_BYTES, signal});
      } catch (error) {
        throw new MirrorError(
          'mirror-unreachable',
          `the mirror does not serve ${suite}: ${(error as Error).message}`,
          {
            cause: error,
            retryable: true,
            hint: 'check the network, name another mirror with --mirror, or build offline from a lock with --lock FILE',
          },
        );
      }
      const date = Date.parse(/^Date: (.+)$/m.exec(body.toString('latin1'))?.[1] ?? '');
      if (Number.isNaN(date)) throw new MirrorError('bad-mirror', `${url} has no Date field`);
      return {sha256: createHash('sha256').update(body).digest('hex'), date: date / 1000};
    }),
  );
}

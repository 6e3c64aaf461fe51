/**
 * Ignition's own checker: the one in PATH, or that of the package which the last build put into the image. Rejected: the
 * tools tree, which only exists while a build runs.
 */
import {access, mkdir, mkdtemp, readFile, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {defaultCacheDir} from '../paths.ts';

const PROGRAM = 'ignition-validate';
const PACKAGE = 'ignition';

/** Null when it is nowhere. */
export async function findChecker(env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(':')) {
    const path = join(folder, PROGRAM);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return fromPackage(defaultCacheDir(env));
}

async function fromPackage(cache: string): Promise<string | null> {
  const sha256 = await chosenPackage(join(cache, 'locks/newest.json'));
  if (sha256 === null) return null;
  const [file, folder] = [join(cache, 'packages', `${sha256}.deb`), join(cache, 'scratch')];
  const path = join(folder, `${PROGRAM}-${sha256.slice(0, 16)}`);
  if (await pathExists(path)) return path;
  if (!(await pathExists(file))) return null;
  await mkdir(folder, {recursive: true});
  const work = await mkdtemp(join(folder, 'checker-'));
  try {
    await exec(['dpkg-deb', '--extract', file, work], {timeoutMs: 60_000});
    await rename(join(work, 'usr/bin', PROGRAM), path);
  } catch {
    // Another Debian, or none: our own checks have to do.
    return null;
  } finally {
    await rm(work, {recursive: true, force: true});
  }
  return path;
}

async function chosenPackage(lockFile: string): Promise<string | null> {
  const lock = (await readFile(lockFile, 'utf8').then(JSON.parse, () => null)) as {
    unpack?: readonly {name?: unknown; sha256?: unknown}[];
  } | null;
  const sha256 = lock?.unpack?.find(({name}) => name === PACKAGE)?.sha256;
  return typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null;
}

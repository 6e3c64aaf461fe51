/** Builds that cannot succeed: one clear message, exit code 1, and nothing half-made left behind. */
import assert from 'node:assert/strict';
import {createReadStream} from 'node:fs';
import {mkdir, mkdtemp, readFile, readdir, rm, symlink} from 'node:fs/promises';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {type PackageLock, parseLock} from '../../build/lock.ts';
import {defaultCacheDir} from '../../cli/paths.ts';
import {exec, quoteArgv} from '../../platform/exec.ts';
import {releaseFolder} from '../support/release.ts';
import {ROOT_DIR} from '../support/sources.ts';

const CAISSON = join(ROOT_DIR, 'caisson');
const LOCK = join(releaseFolder(), 'packages.lock.json');
const isRoot = process.getuid?.() === 0;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-failures-'));
});
after(() => rm(folder, {recursive: true}));

/** Standard error of a build that has to fail with exit code 1 and without a stack. */
async function failingBuild(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const {stderr} = await exec([CAISSON, 'build', ...args], {okCodes: [1], env});
  assert.doesNotMatch(stderr, /^ +at /m);
  return stderr;
}

describe('a build', () => {
  it('names a program that this machine lacks, and the command that installs it', async () => {
    const programs = join(folder, 'programs');
    await mkdir(programs);
    for (const directory of (process.env['PATH'] ?? '').split(':').reverse())
      for (const name of await readdir(directory).catch(() => [])) {
        await rm(join(programs, name), {force: true});
        if (name !== 'mmdebstrap') await symlink(join(directory, name), join(programs, name));
      }
    const stderr = await failingBuild(['--cache', join(folder, 'lacking')], {PATH: programs});
    assert.match(stderr, /^caisson: this machine lacks mmdebstrap$/m);
    assert.match(stderr, /^hint: .*apt-get install .*mmdebstrap/m);
  });

  it('names a mirror that cannot be reached, and leaves no release', async () => {
    const [cache, out] = [join(folder, 'unreachable'), join(folder, 'unreachable-out')];
    const stderr = await failingBuild([
      ...['--mirror', 'http://127.0.0.1:1/debian/', '--security-mirror', 'http://127.0.0.1:1/security/'],
      ...['--cache', cache, '--out', out],
    ]);
    assert.match(stderr, /^caisson: the mirror does not serve trixie.*127\.0\.0\.1:1/m);
    assert.match(stderr, /^hint: check the network/m);
    assert.deepEqual(await readdir(out), []);
  });
});

/** Lists what is left in a directory, after a build with that directory on a small file system of its own. */
async function buildOnFullDisk(
  directory: string,
  mebibytes: number,
  args: readonly string[],
): Promise<{stderr: string; left: string[]; mounts: string[]}> {
  await mkdir(directory);
  const mount = quoteArgv(['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'full', directory]);
  const build = quoteArgv([CAISSON, 'build', '--lock', LOCK, ...args]);
  const list = quoteArgv(['find', directory, '-mindepth', '1', '-printf', '%P\\n']);
  // The mount is the shell's own and goes away with it.
  const script = `${mount} || exit 99; ${build}; code=$?; ${list}; echo MOUNTS; cat /proc/self/mounts; exit $code`;
  const {stdout, stderr} = await exec(['unshare', '--mount', 'sh', '-c', script], {okCodes: [1]});
  const [left = '', mounts = ''] = stdout.split('MOUNTS\n');
  return {
    stderr,
    left: left.split('\n').filter((path) => path !== ''),
    mounts: mounts.split('\n').filter((line) => line.includes(directory)),
  };
}

describe('a disk that is full', {skip: isRoot ? false : 'mounting a small disk needs root'}, () => {
  it('of the cache: keeps whole packages only', async () => {
    const lock = parseLock(await readFile(LOCK, 'utf8'), LOCK);
    await withMirror(lock, async (mirror) => {
      const cache = join(folder, 'full-cache');
      const {stderr, left, mounts} = await buildOnFullDisk(cache, 20, [
        ...['--mirror', mirror, '--security-mirror', mirror],
        ...['--cache', cache, '--out', join(folder, 'full-cache-out')],
      ]);
      assert.match(stderr, /^caisson: cannot keep \S+ \S+ in \S+\/full-cache\/packages: ENOSPC/m);
      assert.match(stderr, /^hint: make room/m);
      const packages = left.filter((path) => path.startsWith('packages/'));
      assert.ok(packages.length > 0);
      for (const path of packages) assert.match(path, /^packages\/[0-9a-f]{64}\.deb$/);
      assert.deepEqual(
        left.filter((path) => /^(steps\/[^/]+|scratch)\/./.test(path)),
        [],
      );
      assert.equal(mounts.length, 1, mounts.join('\n'));
    });
  });

  it('of the releases: leaves none', async () => {
    const out = join(folder, 'full-out');
    const {stderr, left, mounts} = await buildOnFullDisk(out, 100, ['--out', out]);
    assert.match(stderr, new RegExp(`^caisson: .*(no space left on the disk|No space left).*${out}`, 'm'));
    assert.match(stderr, /^hint: make room/m);
    assert.deepEqual(left, []);
    assert.equal(mounts.length, 1, mounts.join('\n'));
  });
});

/** Serves the packages of a lock from this user's cache, as a Debian mirror does. */
async function withMirror(lock: PackageLock, use: (url: string) => Promise<void>): Promise<void> {
  const packages = join(defaultCacheDir(process.env), 'packages');
  const files = new Map(
    [...lock.tools, ...lock.os].map(({filename, sha256}) => [`/debian/${filename}`, `${sha256}.deb`]),
  );
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else createReadStream(join(packages, file)).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/debian/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

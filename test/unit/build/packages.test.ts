import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import type {LockedPackage} from '../../../build/lock.ts';
import {
  type PackageCache,
  PackageError,
  fetchPackages,
  makeLocalRepository,
  packagePath,
  seal,
} from '../../../build/packages.ts';
import type {HttpClient} from '../../../platform/http.ts';
import {HttpError} from '../../../platform/http-error.ts';
import {silentLog} from '../../../platform/log.ts';
import {lockedPackage} from '../../support/lock.ts';

let folder = '';
let requested: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packages-'));
  requested = [];
});
afterEach(() => rm(folder, {recursive: true}));

type Download = HttpClient['download'];
const write: Download = async (_url, path) => writeFile(path, 'content');

function cacheWith(download: Download, signal = new AbortController().signal): PackageCache {
  const client: HttpClient = {
    download: async (url, path, expected, options) => {
      requested.push(url);
      await download(url, path, expected, options);
    },
    getBytes: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
  return {
    directory: join(folder, 'packages'),
    mirror: () =>
      Promise.resolve({
        main: 'http://m.example/debian/',
        security: 'http://s.example/sec/',
        proxy: undefined,
      }),
    http: () => Promise.resolve(client),
    log: silentLog,
    signal,
  };
}

/** A package whose content is its name. */
function packageOf(name: string): LockedPackage {
  return lockedPackage(name, {sha256: createHash('sha256').update(name).digest('hex'), bytes: name.length});
}

describe('fetchPackages', () => {
  it('fetches what is missing, each from its archive', async () => {
    const cache = cacheWith(write);
    const [bash, curl, here] = [packageOf('bash'), packageOf('curl'), packageOf('here')];
    const secure: LockedPackage = {...curl, archive: 'security', filename: 'pool/updates/main/c/curl/c.deb'};
    await mkdir(cache.directory);
    await writeFile(packagePath(cache, here), 'here');
    await fetchPackages(cache, [bash, secure, here]);
    assert.deepEqual(requested.sort(), [
      'http://m.example/debian/pool/main/b/bash/bash_5.2-1_amd64.deb',
      'http://s.example/sec/pool/updates/main/c/curl/c.deb',
    ]);
  });

  it('asks for no mirror when nothing is missing', async () => {
    const offline = () => Promise.reject(new Error('no network'));
    const cache = {...cacheWith(write), mirror: offline, http: offline};
    await fetchPackages(cache, []);
    await writeFile(packagePath(cache, packageOf('bash')), 'bash');
    await fetchPackages(cache, [packageOf('bash')]);
    await assert.rejects(fetchPackages(cache, [packageOf('curl')]), /no network/);
  });

  it('hashes what is there, and fetches again what is damaged', async () => {
    const warnings: string[] = [];
    const cache = {...cacheWith(write), log: {...silentLog, warn: (text: string) => warnings.push(text)}};
    const [bash, curl] = [packageOf('bash'), packageOf('curl')];
    await mkdir(cache.directory);
    await writeFile(packagePath(cache, bash), 'evil');
    await writeFile(packagePath(cache, curl), 'curl');
    await fetchPackages(cache, [bash, curl]);
    assert.equal(requested.length, 1);
    assert.deepEqual(warnings, [`${packagePath(cache, bash)} (bash 5.2-1) is damaged; fetching it again`]);
    assert.equal(await readFile(packagePath(cache, bash), 'utf8'), 'content');
  });

  it('names the package that the mirror does not have, and what to do', async () => {
    const gone: Download = () => Promise.reject(new HttpError('bad-status', 'x answered 404', {status: 404}));
    await assert.rejects(fetchPackages(cacheWith(gone), [packageOf('bash')]), (error) => {
      assert.ok(error instanceof PackageError, String(error));
      assert.equal(error.code, 'package-gone');
      assert.equal(error.message, 'cannot fetch bash 5.2-1: x answered 404');
      assert.match(error.hint ?? '', /without --lock/);
      return true;
    });
  });

  it('does not blame the mirror for a disk that is full', async () => {
    const full: Download = () =>
      Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'}));
    const cache = cacheWith(full);
    await assert.rejects(fetchPackages(cache, [packageOf('bash')]), (error) => {
      assert.ok(error instanceof PackageError, String(error));
      assert.equal(error.code, 'package-not-kept');
      assert.ok(error.message.startsWith(`cannot keep bash 5.2-1 in ${cache.directory}: ENOSPC`));
      assert.equal(error.hint, undefined);
      return true;
    });
  });

  it('begins nothing new after an error, and waits for what has begun', async () => {
    let running = 0;
    const download: Download = async (url) => {
      running += 1;
      try {
        if (url.includes('/p3/')) throw new Error('broken');
        await new Promise((resolve) => setTimeout(resolve, 30));
      } finally {
        running -= 1;
      }
    };
    const many = Array.from({length: 40}, (_, index) => packageOf(`p${index}`));
    await assert.rejects(fetchPackages(cacheWith(download), many), PackageError);
    assert.equal(running, 0);
    assert.equal(requested.length, 8);
  });

  it('lets an interruption through as what it is', async () => {
    const stopping = new AbortController();
    const download: Download = () => {
      stopping.abort(new Error('stopped by SIGINT'));
      return Promise.reject(new Error('aborted'));
    };
    await assert.rejects(
      fetchPackages(cacheWith(download, stopping.signal), [packageOf('bash')]),
      /^Error: stopped by SIGINT$/,
    );
  });
});

describe('makeLocalRepository', () => {
  async function cached(...names: string[]): Promise<{cache: PackageCache; packages: LockedPackage[]}> {
    const cache = cacheWith(write);
    await mkdir(cache.directory);
    const packages = names.map(packageOf);
    for (const [index, entry] of packages.entries()) {
      await writeFile(packagePath(cache, entry), names[index] ?? '');
      // So that dpkg is not asked about files that are no packages.
      await writeFile(
        `${packagePath(cache, entry)}.control`,
        seal(`Package: ${entry.name}\nVersion: 5.2-1\n\n`),
      );
    }
    return {cache, packages};
  }

  it('holds exactly the given packages, in order of their names', async () => {
    const {cache, packages} = await cached('zlib', 'bash');
    const repository = join(folder, 'repository');
    await makeLocalRepository(cache, packages, repository, 'local');
    const index = await readFile(join(repository, 'dists/local/main/binary-amd64/Packages'), 'utf8');
    const [zlib, bash] = packages;
    assert.equal(
      index,
      [bash, zlib]
        .map(
          (entry) =>
            `Package: ${entry?.name}\nVersion: 5.2-1\nFilename: pool/${entry?.sha256}.deb\nSize: 4\nSHA256: ${entry?.sha256}\n`,
        )
        .join('\n'),
    );
    const pool = await readdir(join(repository, 'pool'));
    assert.deepEqual(pool.sort(), packages.map(({sha256}) => `${sha256}.deb`).sort());
    assert.equal(
      await readlink(join(repository, 'pool', pool[0] ?? '')),
      join(cache.directory, pool[0] ?? ''),
    );
    assert.match(await readFile(join(repository, 'dists/local/Release'), 'utf8'), /^Suite: local$/m);
  });

  it('does not use a kept control file that is not what was kept', async () => {
    const {cache, packages} = await cached('bash');
    const kept = `${packagePath(cache, packages[0] ?? packageOf('bash'))}.control`;
    for (const damaged of ['', 'Package: evil\n', (await readFile(kept, 'utf8')).replace('5.2', '5.3')]) {
      await writeFile(kept, damaged);
      // Asked again, dpkg finds that the test's package is none.
      await assert.rejects(
        makeLocalRepository(cache, packages, join(folder, `repository-${damaged.length}`), 'local'),
        /dpkg-deb/,
      );
    }
  });
});

/**
 * Two builds from one lock are the same bytes: the shared release, and one made here in another directory, with an
 * empty cache of results, and as an ordinary user where this is root.
 */
import assert from 'node:assert/strict';
import {chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {defaultCacheDir} from '../../cli/paths.ts';
import {parseRelease} from '../../formats/release.ts';
import {type Argv, exec} from '../../platform/exec.ts';
import {channelKeys, releaseFolder, updateKeys} from '../support/release.ts';

const ROOT = join(import.meta.dirname, '../..');
const USER = 'caisson-test';
const isRoot = process.getuid?.() === 0;
const first = releaseFolder();
let work: string;
let second: string;

describe('two builds from one lock', () => {
  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'caisson-second-'));
    await chmod(work, 0o755);
    const checkout = join(work, 'elsewhere');
    await mkdir(checkout);
    const skipped = new Set(['out', '.git']);
    for (const name of await readdir(ROOT))
      if (!skipped.has(name))
        await cp(join(ROOT, name), join(checkout, name), {recursive: true, verbatimSymlinks: true});
    const cache = join(work, 'cache');
    await mkdir(cache);
    const packages = join(defaultCacheDir(process.env), 'packages');
    if (isRoot) {
      await exec(['useradd', '--create-home', '--shell', '/bin/sh', USER], {okCodes: [0, 9]});
      // The user cannot look into root's cache.
      await exec(['cp', '--recursive', '--reflink=auto', packages, join(cache, 'packages')]);
      await exec(['chown', '--recursive', `${USER}:`, work]);
    } else await symlink(packages, join(cache, 'packages'));
    const build: Argv = [
      join(checkout, 'caisson'),
      ...['build', '--lock', join(checkout, 'packages.lock.json')],
      ...[
        '--update-key',
        join(checkout, 'update.pub.pem'),
        '--channel-key',
        join(checkout, 'channel.pub.pem'),
      ],
      ...['--cache', cache, '--out', join(work, 'out')],
    ];
    await cp(join(first, 'packages.lock.json'), join(checkout, 'packages.lock.json'));
    await cp(updateKeys().publicKey, join(checkout, 'update.pub.pem'));
    await cp(channelKeys().publicKey, join(checkout, 'channel.pub.pem'));
    const environment = ['env', '-i', `PATH=${process.env['PATH'] ?? ''}`, 'TERM=dumb'] as const;
    await exec(
      isRoot ? ['runuser', '-u', USER, '--', ...environment, ...build] : [...environment, ...build],
      {timeoutMs: 20 * 60_000},
    );
    const [version] = (await readdir(join(work, 'out'))).filter(
      (name) => !name.startsWith('.') && name !== 'machine',
    );
    second = join(work, 'out', version ?? '');
  });

  after(async () => {
    await rm(work, {recursive: true, force: true});
    if (isRoot) await exec(['userdel', '--remove', USER], {okCodes: [0, 6, 12]});
  });

  it('are bit for bit the same, and any file that differs is named', async () => {
    const [a, b] = await Promise.all(
      [first, second].map(async (folder) =>
        parseRelease(await readFile(join(folder, 'release.json'), 'utf8'), folder),
      ),
    );
    const hashes = (files: Record<string, {sha256: string}> | undefined) =>
      Object.fromEntries(Object.entries(files ?? {}).map(([name, {sha256}]) => [name, sha256]));
    assert.deepEqual(hashes(b?.files), hashes(a?.files));
    assert.deepEqual(b, a);
  });
});

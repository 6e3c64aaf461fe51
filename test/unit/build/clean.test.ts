import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {type CleanOptions, planClean, removeItems} from '../../../build/clean.ts';
import {formatRelease} from '../../../formats/release.ts';
import {walkTree} from '../../../platform/files.ts';
import {sampleRelease} from '../../support/small-disk.ts';

let folder = '';
let options: CleanOptions = {cacheDir: '', outDir: '', packages: false, releases: false};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clean-'));
  options = {cacheDir: join(folder, 'cache'), outDir: join(folder, 'out'), packages: false, releases: false};
  await put('cache/CACHEDIR.TAG', 'cache/lock', 'cache/notes', 'cache/scratch/usr/bin/x');
  await put('cache/steps/kernel/abc/file', 'cache/steps/usr/.new-abc/file', 'cache/locks/newest.json');
  await put('cache/packages/a.deb', 'cache/packages/a.deb.control', 'cache/packages/b.deb.part-77');
  await put('cache/packages/.c.deb.control.0123456789ab', 'cache/locks/.newest.json.0123456789ab');
  await put('out/1.2.3/usr.img', 'out/.new-1.2.4/usr.img', 'out/.new-1.2.4-old/usr.img', 'out/.newsletter/x');
  await put('out/mine/file', 'out/2.0.0/no-release', 'out/machine/key');
  await writeFile(join(options.outDir, '1.2.3/release.json'), formatRelease(sampleRelease()));
  await writeFile(join(options.outDir, '2.0.0/release.json'), '{"format": "of another program"}');
});
afterEach(() => rm(folder, {recursive: true}));

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), {recursive: true});
    await writeFile(join(folder, path), path);
  }
}

const LEFTOVERS = [
  'cache/scratch/usr',
  'cache/steps/kernel',
  'cache/steps/usr',
  'out/.new-1.2.4',
  'out/.new-1.2.4-old',
];

async function planned(changes: Partial<CleanOptions> = {}): Promise<string[]> {
  const items = await planClean({...options, ...changes});
  return items.map(({path}) => path.slice(folder.length + 1)).sort();
}

describe('planClean', () => {
  it('takes results of steps and what was left over', async () => {
    const unfinished = [
      'cache/locks/.newest.json.0123456789ab',
      'cache/packages/.c.deb.control.0123456789ab',
      'cache/packages/b.deb.part-77',
    ];
    assert.deepEqual(await planned(), [...LEFTOVERS, ...unfinished].sort());
  });

  it('takes packages and releases when asked', async () => {
    assert.deepEqual(await planned({packages: true}), [...LEFTOVERS, 'cache/locks', 'cache/packages'].sort());
    const all = await planned({packages: true, releases: true});
    assert.deepEqual(all, [...LEFTOVERS, 'cache/locks', 'cache/packages', 'out/1.2.3'].sort());
  });

  it('counts what files take up, not their holes', async () => {
    await truncate(join(options.outDir, '1.2.3/usr.img'), 1e9);
    const items = await planClean({...options, releases: true});
    const release = items.find(({path}) => path.endsWith('1.2.3'));
    assert.equal(release?.what, 'release');
    assert.ok(release.bytes > 0 && release.bytes < 1e6);
  });

  it('finds nothing where nothing is', async () => {
    assert.deepEqual(
      await planned({cacheDir: join(folder, 'no'), outDir: join(folder, 'no'), packages: true}),
      [],
    );
  });
});

describe('removeItems', () => {
  it('removes what was planned and no more, and nothing behind links', async () => {
    await put('elsewhere/precious');
    await symlink(join(folder, 'elsewhere'), join(options.cacheDir, 'steps/link'));
    await symlink(join(folder, 'elsewhere'), join(options.cacheDir, 'steps/kernel/link'));
    await removeItems(
      await planClean({...options, packages: true, releases: true}),
      new AbortController().signal,
    );
    assert.deepEqual(await readdir(join(folder, 'elsewhere')), ['precious']);
    assert.deepEqual(
      (await walkTree(folder)).map(({path}) => path).filter((path) => !path.startsWith('elsewhere')),
      [
        'cache',
        'cache/CACHEDIR.TAG',
        'cache/lock',
        'cache/notes',
        'cache/scratch',
        'cache/steps',
        'out',
        'out/.newsletter',
        'out/.newsletter/x',
        'out/2.0.0',
        'out/2.0.0/no-release',
        'out/2.0.0/release.json',
        'out/machine',
        'out/machine/key',
        'out/mine',
        'out/mine/file',
      ],
    );
    assert.deepEqual(await planned({packages: true, releases: true}), []);
  });

  it('stops when told to', async () => {
    const items = await planClean(options);
    await assert.rejects(removeItems(items, AbortSignal.abort(new Error('stopped'))), /stopped/);
    assert.deepEqual(await planClean(options), items);
  });
});

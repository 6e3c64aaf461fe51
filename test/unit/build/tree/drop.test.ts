import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readdir, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {dropPackages, dropPaths} from '../../../../build/tree/drop.ts';
import {walkTree} from '../../../../platform/files.ts';

let folder = '';
let tree = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drop-'));
  tree = join(folder, 'tree');
  await mkdir(join(tree, 'var/lib/dpkg/info'), {recursive: true});
  await mkdir(join(tree, 'usr'));
});
afterEach(() => rm(folder, {recursive: true}));

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(tree, path)), {recursive: true});
    await writeFile(join(tree, path), path);
  }
}

/** A package as dpkg keeps it: the list names directories, too. */
async function install(list: string, ...paths: string[]): Promise<void> {
  const lines = new Set(['/.']);
  for (const path of paths) {
    const parts = path.split('/');
    parts.forEach((_, index) => lines.add(`/${parts.slice(0, index + 1).join('/')}`));
  }
  await writeFile(join(tree, `var/lib/dpkg/info/${list}.list`), `${[...lines].join('\n')}\n`);
}

const left = async (): Promise<string[]> =>
  (await walkTree(tree)).map(({path}) => path).filter((path) => !path.startsWith('var'));

describe('dropPackages', () => {
  it('removes what only the dropped own, and directories that become empty', async () => {
    await put('usr/bin/a', 'usr/bin/b', 'usr/share/a/file', 'usr/share/both', 'usr/share/ours');
    await install('a', 'usr/bin/a', 'usr/share/a/file', 'usr/share/both');
    await install('b:amd64', 'usr/bin/b', 'usr/share/both');
    assert.deepEqual(await dropPackages(tree, ['a']), []);
    assert.deepEqual(await left(), [
      'usr',
      'usr/bin',
      'usr/bin/b',
      'usr/share',
      'usr/share/both',
      'usr/share/ours',
    ]);
    assert.deepEqual(await dropPackages(tree, ['a', 'b']), []);
    assert.deepEqual(await left(), ['usr', 'usr/share', 'usr/share/ours']);
  });

  it('finds files that the list names by their old place', async () => {
    await put('usr/lib/x/library', 'usr/bin/sh', 'usr/lib/keep');
    await symlink('usr/lib', join(tree, 'lib'));
    await install('a', 'lib/x/library', 'usr/bin/sh');
    await dropPackages(tree, ['a']);
    assert.deepEqual(await left(), ['lib', 'usr', 'usr/lib', 'usr/lib/keep']);
  });

  it('keeps a directory that holds what no package owns', async () => {
    await put('usr/share/a/owned', 'usr/share/a/made-by-a-script');
    await install('a', 'usr/share/a/owned');
    await dropPackages(tree, ['a']);
    assert.deepEqual(await left(), ['usr', 'usr/share', 'usr/share/a', 'usr/share/a/made-by-a-script']);
  });

  it('never removes anything behind a link', async () => {
    const outside = join(folder, 'outside');
    await mkdir(join(outside, 'deep'), {recursive: true});
    await writeFile(join(outside, 'file'), 'x');
    await writeFile(join(outside, 'deep/file'), 'x');
    await symlink(outside, join(tree, 'usr/x'));
    await install('a', 'usr/x/file', 'usr/x/deep/file');
    await dropPackages(tree, ['a']);
    assert.deepEqual((await readdir(outside)).sort(), ['deep', 'file']);
    assert.deepEqual(await readdir(join(outside, 'deep')), ['file']);
    // The link itself is the package's.
    assert.deepEqual(await left(), []);
  });

  it('names packages that are not there', async () => {
    await install('a', 'usr/bin/a');
    assert.deepEqual(await dropPackages(tree, ['a', 'perl-base', 'ucf']), ['perl-base', 'ucf']);
  });
});

describe('dropPaths', () => {
  it('removes what patterns cover and names those that cover nothing', async () => {
    await put('usr/share/doc/a/README', 'usr/share/man/man1/a.1.gz', 'usr/bin/tool', 'usr/bin/tool.bak');
    const unused = await dropPaths(tree, [
      'usr/share/{doc,man,info}',
      '**/*.bak',
      'etc/nothing',
      'usr/*/toolx',
    ]);
    assert.deepEqual(await left(), ['usr', 'usr/bin', 'usr/bin/tool', 'usr/share']);
    assert.deepEqual(unused, ['usr/share/info', 'etc/nothing', 'usr/*/toolx']);
  });

  it('removes a link, not what it points to', async () => {
    await mkdir(join(folder, 'outside'));
    await writeFile(join(folder, 'outside/file'), 'x');
    await symlink(join(folder, 'outside'), join(tree, 'usr/x'));
    assert.deepEqual(await dropPaths(tree, ['usr/x', 'usr/x/file']), ['usr/x/file']);
    assert.deepEqual(await readdir(join(folder, 'outside')), ['file']);
    assert.deepEqual(await left(), ['usr']);
  });
});

import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {OverlayError, applyOverlay, overlayInputs} from '../../../../build/tree/overlay.ts';

let folder = '';
let source = {label: 'site', directory: ''};
let tree = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'overlay-'));
  source = {label: 'site', directory: join(folder, 'site')};
  tree = join(folder, 'tree');
  await mkdir(join(tree, 'usr/lib'), {recursive: true});
  await mkdir(source.directory);
});
afterEach(() => rm(folder, {recursive: true}));

/** Writes a file of the overlay (or, with an absolute path, any other), making its directories. */
async function put(path: string, text = path, mode = 0o600): Promise<void> {
  const file = path.startsWith('/') ? path : join(source.directory, path);
  await mkdir(dirname(file), {recursive: true});
  await writeFile(file, text);
  await chmod(file, mode);
}

async function link(path: string, target: string): Promise<void> {
  await mkdir(dirname(join(source.directory, path)), {recursive: true});
  await symlink(target, join(source.directory, path));
}

async function refuses(code: string, pattern: RegExp): Promise<void> {
  await assert.rejects(applyOverlay(source, tree), (error) => {
    assert.ok(error instanceof OverlayError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('applyOverlay', () => {
  it('lays files, links and directories over the tree, with modes of its own', async () => {
    await put(join(tree, 'usr/lib/old'), 'old');
    await put('usr/lib/old', 'new');
    await put('usr/bin/tool', '#!/bin/sh', 0o700);
    await put('etc/name.conf', 'x', 0o666);
    await mkdir(join(source.directory, 'usr/share/empty'), {recursive: true, mode: 0o700});
    await link('usr/lib/shortcut', '../bin/tool');
    await link('etc/localtime', '/usr/share/zoneinfo/UTC');
    await applyOverlay(source, tree);
    assert.equal(await readFile(join(tree, 'usr/lib/old'), 'utf8'), 'new');
    const modes = await Promise.all(
      ['usr/bin/tool', 'etc/name.conf', 'usr/lib/old', 'usr/share/empty', 'etc'].map(async (path) =>
        ((await stat(join(tree, path))).mode & 0o7777).toString(8),
      ),
    );
    assert.deepEqual(modes, ['755', '644', '644', '755', '755']);
    assert.equal(await readlink(join(tree, 'usr/lib/shortcut')), '../bin/tool');
    assert.equal(await readlink(join(tree, 'etc/localtime')), '/usr/share/zoneinfo/UTC');
  });

  it('replaces a link by a file without writing to where it points', async () => {
    await put(join(folder, 'outside'), 'untouched');
    await symlink(join(folder, 'outside'), join(tree, 'usr/lib/file'));
    await put('usr/lib/file', 'from the overlay');
    await applyOverlay(source, tree);
    assert.equal(await readFile(join(folder, 'outside'), 'utf8'), 'untouched');
    assert.equal((await lstat(join(tree, 'usr/lib/file'))).isFile(), true);
  });

  it('does not write through a directory of the tree that is a link', async () => {
    await mkdir(join(folder, 'outside'));
    await symlink(join(folder, 'outside'), join(tree, 'usr/x'));
    await put('usr/x/file');
    await refuses('outside-tree', /^site\/usr\/x: \/usr\/x is not a directory of the image but a link/);
    await put('usr/x/deeper/file');
    await refuses('outside-tree', /\/usr\/x is not a directory/);
    assert.deepEqual(await readdir(join(folder, 'outside')), []);
    await symlink('usr/lib', join(tree, 'lib'));
    await rm(join(source.directory, 'usr'), {recursive: true});
    await put('lib/file');
    await refuses('not-an-image-path', /^site\/lib: an overlay holds only usr\/ and etc\//);
  });

  it('does not write through its own links', async () => {
    await link('usr/a', '/tmp');
    await mkdir(join(source.directory, 'usr/b'), {recursive: true});
    await applyOverlay(source, tree);
    assert.equal((await lstat(join(tree, 'usr/a'))).isSymbolicLink(), true);
    const second = {label: 'second', directory: join(folder, 'second')};
    await put(join(second.directory, 'usr/a/file'));
    source = second;
    await refuses('outside-tree', /^second\/usr\/a: \/usr\/a is not a directory/);
  });

  it('does not replace a directory by a file or link', async () => {
    await put(join(tree, 'usr/lib/keep/file'));
    await put('usr/lib/keep', 'a file');
    await refuses('replaces-directory', /^site\/usr\/lib\/keep would take the place of the directory/);
    await rm(join(source.directory, 'usr/lib'), {recursive: true});
    await link('usr/lib', 'share');
    await refuses('replaces-directory', /\/usr\/lib$/);
    assert.deepEqual(await readdir(join(tree, 'usr/lib/keep')), ['file']);
  });

  it('refuses links that climb above the root', async () => {
    const bad = ['../../..', '../../../etc/passwd', '../x/../../../y'];
    for (const [index, target] of bad.entries()) {
      await rm(source.directory, {recursive: true});
      await link(`usr/link${index}`, target);
      await refuses('outside-tree', /its target .* lies outside of the image/);
    }
    await rm(source.directory, {recursive: true});
    await link('usr/link', '../etc/passwd');
    await link('usr/absolute', '/../../etc/passwd');
    await applyOverlay(source, tree);
  });

  it('refuses paths that are state, and what is no file', async () => {
    for (const path of ['var/lib/x', 'home/core/.bashrc', 'README.md']) {
      await rm(source.directory, {recursive: true});
      await put(path);
      await refuses('not-an-image-path', /an overlay holds only usr\/ and etc\//);
    }
    await rm(source.directory, {recursive: true});
    await mkdir(join(source.directory, 'usr'), {recursive: true});
    const server = createServer().listen(join(source.directory, 'usr/socket'));
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      await refuses('not-a-file', /^site\/usr\/socket is neither file, directory nor link/);
    } finally {
      server.close();
    }
  });
});

describe('overlayInputs', () => {
  it('names every file with its label, and notices content, mode, kind and name', async () => {
    await put('usr/bin/tool', 'x', 0o644);
    await link('usr/bin/link', 'tool');
    const before = await overlayInputs([source]);
    assert.deepEqual(Object.keys(before), ['site/usr/bin/link', 'site/usr/bin/tool']);
    const changes: (() => Promise<void>)[] = [
      () => put('usr/bin/tool', 'y', 0o644),
      () => put('usr/bin/tool', 'x', 0o755),
      async () => {
        await rm(join(source.directory, 'usr/bin/link'));
        await link('usr/bin/link', 'other');
      },
      () => put('usr/bin/more'),
    ];
    let last = JSON.stringify(before);
    for (const change of changes) {
      await change();
      const now = JSON.stringify(await overlayInputs([source]));
      assert.notEqual(now, last);
      last = now;
    }
  });

  it('refuses a folder that is not there', async () => {
    const missing = {label: 'site', directory: join(folder, 'nowhere')};
    await assert.rejects(overlayInputs([missing]), /overlay folder site does not exist/);
  });
});

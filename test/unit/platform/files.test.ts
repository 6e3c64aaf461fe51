import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {
  copySparse,
  fingerprintTree,
  pathExists,
  sha256File,
  walkTree,
  withByteSource,
  withFile,
  writeFileAtomic,
} from '../../../platform/files.ts';

let folder = '';
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'files-'))));
afterEach(() => rm(folder, {recursive: true}));
const at = (path: string): string => join(folder, path);

describe('writeFileAtomic', () => {
  it('replaces a file with content and mode, and leaves nothing else', async () => {
    await writeFile(at('file'), 'old');
    await writeFileAtomic(at('file'), 'new', 0o600);
    assert.equal(await readFile(at('file'), 'utf8'), 'new');
    assert.equal((await stat(at('file'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ['file']);
  });

  it('replaces a link, not what it points to', async () => {
    await writeFile(at('target'), 'old');
    await symlink('target', at('link'));
    await writeFileAtomic(at('link'), 'new');
    assert.equal(await readFile(at('target'), 'utf8'), 'old');
    assert.equal((await lstat(at('link'))).isFile(), true);
  });

  it('leaves the old file and no other when it fails', async () => {
    await mkdir(at('directory/within'), {recursive: true});
    await assert.rejects(writeFileAtomic(at('directory'), 'x'), {code: 'EISDIR'});
    await assert.rejects(writeFileAtomic(at('nowhere/file'), 'x'), {code: 'ENOENT'});
    assert.deepEqual(await readdir(folder), ['directory']);
  });
});

describe('walkTree and fingerprintTree', () => {
  it('list everything in order, each directory before what it holds, and follow no link', async () => {
    await mkdir(at('b/c'), {recursive: true});
    await writeFile(at('b/c/file'), '');
    await writeFile(at('b-file'), '');
    await writeFile(at('B'), '');
    await symlink('/', at('root'));
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      assert.deepEqual(
        (await walkTree(folder)).map(({path, kind}) => `${path} ${kind}`),
        [
          'B file',
          'b directory',
          'b/c directory',
          'b/c/file file',
          'b-file file',
          'root symlink',
          'socket other',
        ],
      );
    } finally {
      server.close();
    }
  });

  it('tell content, kind, link targets and executables apart', async () => {
    await writeFile(at('file'), 'x');
    await writeFile(at('tool'), 'x');
    await chmod(at('tool'), 0o755);
    await symlink('file', at('link'));
    await mkdir(at('directory'));
    const prints = await fingerprintTree(folder);
    const hash = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881';
    assert.deepEqual(prints, {
      directory: 'directory',
      file: `f:${hash}`,
      link: 'symlink:file',
      tool: `x:${hash}`,
    });
  });
});

describe('small helpers', () => {
  it('hash files, and stop when told to', async () => {
    await writeFile(at('empty'), '');
    assert.equal(
      await sha256File(at('empty')),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    await assert.rejects(sha256File(at('empty'), AbortSignal.abort()), {name: 'AbortError'});
  });

  it('copy holes as holes', async () => {
    await writeFile(at('sparse'), 'head');
    await truncate(at('sparse'), 50_000_000);
    await copySparse(at('sparse'), at('copy'));
    const {size, blocks} = await stat(at('copy'));
    assert.equal(size, 50_000_000);
    assert.ok(blocks * 512 < 1_000_000);
  });

  it('read by place, and give less only at the end', async () => {
    await writeFile(at('file'), '0123456789');
    await withByteSource(at('file'), async (source) => {
      assert.equal(source.bytes, 10);
      assert.equal(Buffer.from(await source.readAt(3, 4)).toString(), '3456');
      assert.equal(Buffer.from(await source.readAt(8, 4)).toString(), '89');
      assert.equal((await source.readAt(20, 4)).length, 0);
    });
  });

  it('close a file whatever happens', async () => {
    await writeFile(at('file'), 'x');
    let descriptor = -1;
    await assert.rejects(
      withFile(at('file'), 'r', (file) => {
        descriptor = file.fd;
        return Promise.reject(new Error('no'));
      }),
      /no/,
    );
    assert.equal(await pathExists(`/proc/self/fd/${descriptor}`), false);
    assert.equal(await pathExists(at('file')), true);
  });
});

import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {CACHE_NAMES, CacheError, claimCache} from '../../../build/cache.ts';

let folder = '';
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'cache-'))));
afterEach(() => rm(folder, {recursive: true}));

describe('claimCache', () => {
  it('makes and marks a directory, once', async () => {
    const directory = join(folder, 'deep/er');
    await claimCache(directory);
    const tag = join(directory, 'CACHEDIR.TAG');
    const text = await readFile(tag, 'utf8');
    // Backup programs compare the first 43 bytes.
    assert.equal(text.slice(0, 43), 'Signature: 8a477f597d28d172789f06886806bc55');
    await writeFile(tag, `${text}# a note of the owner\n`);
    await claimCache(directory);
    assert.match(await readFile(tag, 'utf8'), /note of the owner/);
  });

  it('takes a cache from before it was marked, and a mount point', async () => {
    for (const name of [...CACHE_NAMES.slice(1), 'lost+found']) await mkdir(join(folder, name));
    await claimCache(folder);
    assert.ok((await readdir(folder)).includes('CACHEDIR.TAG'));
  });

  it('touches no directory of someone else', async () => {
    await writeFile(join(folder, 'thesis.tex'), 'x');
    await mkdir(join(folder, 'scratch'));
    await assert.rejects(
      claimCache(folder),
      (error) =>
        error instanceof CacheError &&
        error.message.endsWith('is not a cache of Caisson: it holds thesis.tex'),
    );
    assert.deepEqual((await readdir(folder)).sort(), ['scratch', 'thesis.tex']);
  });
});

import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {pathToFileURL} from 'node:url';
import {BundleError, bundleProgram, bundleWithPackages} from '../../../build/bundle.ts';

const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
after(() => rm(folder, {recursive: true}));

/** A checkout with a program that uses a package in the CommonJS form, which asks for a module of Node. */
async function writeCheckout(name: string): Promise<{root: string; entry: string}> {
  const root = join(folder, name);
  await mkdir(join(root, 'node_modules/old'), {recursive: true});
  await writeFile(
    join(root, 'node_modules/old/package.json'),
    '{"name": "old", "version": "1.0.0", "main": "index.js"}',
  );
  await writeFile(
    join(root, 'node_modules/old/index.js'),
    "/*! Copyright of old */\nexports.join = require('path').posix.join;\n",
  );
  await writeFile(join(root, 'part.ts'), 'export const part: string = "b";\n');
  const program =
    "import {join} from 'old';\nimport {part} from './part.ts';\nexport const path = join('a', part);\n";
  await writeFile(join(root, 'main.ts'), program);
  return {root, entry: join(root, 'main.ts')};
}

describe('bundleProgram', () => {
  it('gives the same bytes wherever the checkout lies', async () => {
    const [one, two] = [await writeCheckout('one'), await writeCheckout('elsewhere/deeper')];
    const bundles = [await bundleProgram(one.entry, one.root), await bundleProgram(two.entry, two.root)];
    assert.deepEqual(bundles[0], bundles[1]);
    assert.doesNotMatch(Buffer.from(bundles[0] ?? []).toString(), new RegExp(folder));
  });

  it('gives one file that runs without any package, and names whose work it holds', async () => {
    const {root, entry} = await writeCheckout('three');
    const code = Buffer.from(await bundleProgram(entry, root, {hashbang: '#!/usr/bin/node'})).toString();
    assert.match(code, /^#!\/usr\/bin\/node\n/);
    assert.match(code, /Copyright of old/);
    const file = join(folder, 'alone.mjs');
    await writeFile(file, code);
    assert.equal(((await import(pathToFileURL(file).href)) as {path: string}).path, 'a/b');
  });

  it('knows which packages have code in it', async () => {
    const {root, entry} = await writeCheckout('five');
    const nested = join(root, 'node_modules/old/node_modules/@deep/er');
    await mkdir(nested, {recursive: true});
    await mkdir(join(root, 'node_modules/unused'));
    const description = {name: 'old', version: '1.2.3', license: 'MIT'};
    await writeFile(join(root, 'node_modules/old/package.json'), JSON.stringify(description));
    await writeFile(join(root, 'node_modules/old/index.js'), "exports.join = require('@deep/er');\n");
    await writeFile(join(nested, 'package.json'), '{"name": "@deep/er", "version": "0.1.0-rc.1"}');
    await writeFile(join(nested, 'index.js'), 'module.exports = (...parts) => parts.join("/");\n');
    const {packages} = await bundleWithPackages(entry, root);
    assert.deepEqual(packages, [
      {name: 'old', version: '1.2.3', licenses: 'MIT'},
      {name: '@deep/er', version: '0.1.0-rc.1'},
    ]);
  });

  it('says which import leads nowhere', async () => {
    const {root, entry} = await writeCheckout('four');
    await rm(join(root, 'part.ts'));
    await assert.rejects(bundleProgram(entry, root), (error: unknown) => {
      assert.ok(error instanceof BundleError);
      assert.match(error.message, /main\.ts:2:\d+: ERROR: Could not resolve "\.\/part\.ts"/);
      return true;
    });
  });
});

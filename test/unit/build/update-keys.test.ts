import assert from 'node:assert/strict';
import {generateKeyPairSync} from 'node:crypto';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {installUpdateKeys, parseUpdateKey, readUpdateKeys} from '../../../build/update-keys.ts';

const folder = await mkdtemp(join(tmpdir(), 'update-keys-'));
after(() => rm(folder, {recursive: true}));

const pair = (bits = 2048) => generateKeyPairSync('rsa', {modulusLength: bits});
const rsa = pair();
const pem = rsa.publicKey.export({type: 'spki', format: 'pem'}).toString();

describe('parseUpdateKey', () => {
  it('takes an RSA public key in either form of PEM, and gives one form', () => {
    const spki = parseUpdateKey(pem, '/keys/release.pub.pem');
    const pkcs1 = rsa.publicKey.export({type: 'pkcs1', format: 'pem'}).toString();
    assert.deepEqual(parseUpdateKey(pkcs1, 'x/release.pem'), spki);
    assert.equal(spki.name, 'release');
    assert.equal(spki.pem, pem);
    assert.match(spki.sha256, /^[0-9a-f]{64}$/);
  });

  const bad: [string, string][] = [
    ['a private key', rsa.privateKey.export({type: 'pkcs8', format: 'pem'}).toString()],
    [
      'a private key behind a public one',
      `${pem}${rsa.privateKey.export({type: 'pkcs8', format: 'pem'}).toString()}`,
    ],
    ['a short key', pair(1024).publicKey.export({type: 'spki', format: 'pem'}).toString()],
    [
      'an EC key',
      generateKeyPairSync('ec', {namedCurve: 'P-256'})
        .publicKey.export({type: 'spki', format: 'pem'})
        .toString(),
    ],
    ['damage', pem.replace(/\n[A-Za-z0-9+/]{20}/, '\n!!!!')],
    ['nothing', ''],
    ['text', 'hello'],
  ];
  for (const [what, text] of bad)
    it(`refuses ${what}`, () => {
      assert.throws(() => parseUpdateKey(text, 'a.pub.pem'), {name: 'UpdateKeyError', code: 'bad-key'});
    });

  it('refuses a name that could not be a file of the image', () => {
    for (const path of ['.pub.pem', 'x y.pub.pem', `${'x'.repeat(65)}.pem`])
      assert.throws(() => parseUpdateKey(pem, path), {code: 'bad-key'});
  });
});

describe('readUpdateKeys', () => {
  it('takes the named files, sorted by name', async () => {
    await writeFile(join(folder, 'b.pem'), pem);
    await writeFile(join(folder, 'a.pub.pem'), pem);
    const keys = await readUpdateKeys([join(folder, 'b.pem'), join(folder, 'a.pub.pem')], folder);
    assert.deepEqual(
      keys.map(({name}) => name),
      ['a', 'b'],
    );
  });

  it('takes public keys of the folder keys without any, and never a private one', async () => {
    assert.deepEqual(await readUpdateKeys([], folder), []);
    await mkdir(join(folder, 'keys'));
    await writeFile(join(folder, 'keys/dev.pub.pem'), pem);
    await writeFile(join(folder, 'keys/dev.pem'), 'private');
    const keys = await readUpdateKeys([], folder);
    assert.deepEqual(
      keys.map(({name}) => name),
      ['dev'],
    );
  });

  it('names the file that is not there', async () => {
    await assert.rejects(readUpdateKeys([join(folder, 'none.pem')], folder), {code: 'unreadable'});
  });

  it('refuses two keys of one name', async () => {
    await mkdir(join(folder, 'other'), {recursive: true});
    await writeFile(join(folder, 'other/a.pem'), pair().publicKey.export({type: 'spki', format: 'pem'}));
    await assert.rejects(readUpdateKeys([join(folder, 'a.pub.pem'), join(folder, 'other/a.pem')], folder), {
      code: 'same-name',
    });
  });
});

describe('installUpdateKeys', () => {
  it('makes the folder, with or without keys', async () => {
    const tree = join(folder, 'tree');
    await installUpdateKeys(tree, []);
    await installUpdateKeys(tree, [parseUpdateKey(pem, 'dev.pub.pem')]);
    assert.equal(await readFile(join(tree, 'usr/share/caisson/update-keys/dev.pem'), 'utf8'), pem);
  });
});

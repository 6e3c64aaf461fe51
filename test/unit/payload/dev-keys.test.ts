import assert from 'node:assert/strict';
import {X509Certificate, createPrivateKey} from 'node:crypto';
import {mkdtemp, readFile, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {keyFingerprint} from '../../../formats/payload/keys.ts';
import {makeKeys} from '../../../payload/dev-keys.ts';
import {findKeyFiles, readPrivateKeys, readPublicKeys} from '../../../payload/key-files.ts';

const folder = await mkdtemp(join(tmpdir(), 'dev-keys-'));
after(() => rm(folder, {recursive: true}));
const NOW = new Date('2026-01-02T03:04:05Z');
const options = {
  ...{folder: join(folder, 'keys'), name: 'update', bits: 2048, subject: 'Some key'},
  ...{days: 10, now: NOW, force: false},
};
const made = await makeKeys(options);

describe('makeKeys', () => {
  it('writes a pair that belongs together, the private half for its owner only', async () => {
    assert.equal((await stat(made.privateKey)).mode & 0o777, 0o600);
    const [privateKey] = await readPrivateKeys(await findKeyFiles(options.folder, 'private'));
    const [publicKey] = await readPublicKeys(await findKeyFiles(options.folder, 'public'));
    assert.ok(privateKey !== undefined && publicKey !== undefined);
    assert.equal(keyFingerprint(privateKey), made.fingerprint);
    assert.equal(keyFingerprint(publicKey.key), made.fingerprint);
    assert.equal(publicKey.name, 'update');
  });

  it('writes a certificate of that key, signed by it', async () => {
    const certificate = new X509Certificate(await readFile(made.certificate));
    assert.equal(certificate.subject, 'CN=Some key');
    assert.equal(keyFingerprint(certificate.publicKey), made.fingerprint);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(await readFile(made.privateKey))));
    assert.equal(Date.parse(certificate.validFrom), NOW.getTime());
    assert.equal(Date.parse(certificate.validTo), made.notAfter.getTime());
  });

  it('never replaces a key unless told to', async () => {
    const before = await readFile(made.privateKey);
    await assert.rejects(makeKeys(options), {code: 'exists'});
    assert.deepEqual(await readFile(made.privateKey), before);
    const again = await makeKeys({...options, force: true});
    assert.notEqual(again.fingerprint, made.fingerprint);
    assert.equal((await stat(made.privateKey)).mode & 0o777, 0o600);
  });

  it('refuses short keys and names that lead elsewhere', async () => {
    for (const changes of [{bits: 1024}, {bits: 2049}, {bits: 16_384}, {name: '../x'}, {name: ''}])
      await assert.rejects(makeKeys({...options, ...changes}), {code: 'bad-key'});
  });
});

describe('readPublicKeys', () => {
  it('refuses a private key and a certificate', async () => {
    for (const path of [made.privateKey, made.certificate])
      await assert.rejects(readPublicKeys([path]), {code: 'untrusted', message: /not a public key/});
    await assert.rejects(readPublicKeys([join(folder, 'none')]), {code: 'no-key'});
  });
});

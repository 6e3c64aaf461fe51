import assert from 'node:assert/strict';
import {generateKeyPairSync, sign} from 'node:crypto';
import {describe, it} from 'node:test';
import {
  decodeSignatures,
  encodeSignatures,
  isSignedBy,
  signDigest,
  signaturesBytesOf,
  verifyDigest,
} from '../../../../formats/payload/signatures.ts';
import {sha256} from '../../../support/payload-sample.ts';

const [one, two] = [2048, 4096].map((modulusLength) => generateKeyPairSync('rsa', {modulusLength}));
assert.ok(one !== undefined && two !== undefined);
const DATA = Buffer.from('some data');
const DIGEST = sha256(DATA);

describe('signDigest', () => {
  it('gives what OpenSSL gives for the data', () => {
    for (const {privateKey} of [one, two])
      assert.deepEqual(Buffer.from(signDigest(DIGEST, privateKey)), sign('sha256', DATA, privateKey));
  });
});

describe('verifyDigest', () => {
  const signatures = [one, two].map(({privateKey}) => signDigest(DIGEST, privateKey));

  it('names the key', () => {
    assert.equal(verifyDigest(DIGEST, signatures, [two.publicKey]), two.publicKey);
    assert.equal(verifyDigest(DIGEST, signatures.slice(0, 1), [two.publicKey, one.publicKey]), one.publicKey);
  });

  it('trusts nobody without a key', () => {
    assert.throws(() => verifyDigest(DIGEST, signatures, []), {code: 'untrusted'});
  });

  it('refuses another digest and another key', () => {
    assert.throws(() => verifyDigest(sha256('other'), signatures, [one.publicKey]), {code: 'untrusted'});
    assert.throws(() => verifyDigest(DIGEST, signatures.slice(0, 1), [two.publicKey]), {code: 'untrusted'});
  });

  it('refuses a signature that is cut, padded, or above the modulus', () => {
    const [signature = new Uint8Array()] = signatures;
    const others = [
      signature.subarray(1),
      Buffer.concat([Uint8Array.of(0), signature]),
      new Uint8Array(signature.length).fill(0xff),
      new Uint8Array(signature.length),
      new Uint8Array(),
    ];
    for (const other of others) assert.equal(isSignedBy(DIGEST, other, one.publicKey), false);
  });
});

describe('Signatures', () => {
  it('come back as they were, in the length that was foretold', () => {
    const signatures = [new Uint8Array(256).fill(1), new Uint8Array(512).fill(2)];
    const bytes = encodeSignatures(signatures);
    assert.deepEqual(decodeSignatures(bytes), signatures);
    assert.equal(bytes.length, signaturesBytesOf([256, 512]));
  });

  it('are refused when there is none, or too many', () => {
    const nine = Array.from({length: 9}, () => new Uint8Array(1));
    for (const list of [[], nine])
      assert.throws(() => decodeSignatures(encodeSignatures(list)), {code: 'bad-signature'});
  });
});

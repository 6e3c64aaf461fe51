import assert from 'node:assert/strict';
import {createPublicKey, generateKeyPairSync} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {sourceOf} from '../../../formats/byte-source.ts';
import {checkPayload} from '../../../payload/metadata.ts';
import {digestPayload, signPayload} from '../../../payload/sign.ts';
import {signDigest} from '../../../formats/payload/signatures.ts';
import {inspectPayload} from '../../../payload/inspection.ts';
import {smallPayload} from '../../support/small-payload.ts';

const folder = await mkdtemp(join(tmpdir(), 'signing-'));
after(() => rm(folder, {recursive: true}));
const WORK = {signal: new AbortController().signal, onBytes: () => undefined};

const small = smallPayload();
const first = createPublicKey(small.privateKey);
const other = generateKeyPairSync('rsa', {modulusLength: 3072});
const original = join(folder, 'original');
await writeFile(original, small.bytes);

const check = async (path: string, ...keys: (typeof first)[]): Promise<unknown> =>
  checkPayload(sourceOf(await readFile(path)), keys, WORK);

describe('signPayload', () => {
  it('gives the same bytes for the same keys', async () => {
    const out = join(folder, 'same');
    await signPayload(original, out, {kind: 'keys', privateKeys: [small.privateKey]}, WORK);
    assert.deepEqual(await readFile(out), small.bytes);
  });

  it('signs with two keys, and either is enough', async () => {
    const out = join(folder, 'two');
    await signPayload(original, out, {kind: 'keys', privateKeys: [small.privateKey, other.privateKey]}, WORK);
    await check(out, first);
    await check(out, other.publicKey);
    await check(out, first, other.publicKey);
  });

  it('takes signatures from elsewhere for a file that was made for their size', async () => {
    const [draft, out] = [join(folder, 'draft'), join(folder, 'given')];
    await signPayload(original, draft, {kind: 'draft', sizes: [384]}, WORK);
    await assert.rejects(check(draft, other.publicKey), {code: 'untrusted'});
    const digests = await digestPayload(draft, WORK);
    const signatures = {
      metadata: [signDigest(digests.metadata, other.privateKey)],
      payload: [signDigest(digests.payload, other.privateKey)],
    };
    const given = {kind: 'given', signatures, publicKeys: [other.publicKey]} as const;
    await signPayload(draft, out, given, WORK);
    await check(out, other.publicKey);
  });

  it('writes nothing when a signature is not of this payload, or not by that key', async () => {
    const digests = await digestPayload(original, WORK);
    const metadata = [signDigest(digests.metadata, small.privateKey)];
    const payload = [signDigest(digests.payload, small.privateKey)];
    const before = await readdir(folder);
    for (const signatures of [
      {metadata: payload, payload},
      {metadata, payload: metadata},
      {metadata, payload: []},
    ]) {
      const given = {kind: 'given', signatures, publicKeys: [first]} as const;
      await assert.rejects(signPayload(original, join(folder, 'never'), given, WORK), {
        code: 'bad-signature',
      });
      await assert.rejects(signPayload(original, original, given, WORK), {code: 'bad-signature'});
    }
    assert.deepEqual(await readdir(folder), before);
    assert.deepEqual(await readFile(original), small.bytes);
  });

  it('refuses to sign with nobody, or for sizes that make the digests others', async () => {
    const out = join(folder, 'never');
    await assert.rejects(signPayload(original, out, {kind: 'keys', privateKeys: []}, WORK), {code: 'no-key'});
    const digests = await digestPayload(original, WORK);
    const signatures = {
      metadata: [signDigest(digests.metadata, other.privateKey)],
      payload: [signDigest(digests.payload, other.privateKey)],
    };
    const given = {kind: 'given', signatures, publicKeys: [other.publicKey]} as const;
    await assert.rejects(signPayload(original, out, given, WORK), {code: 'bad-signature'});
  });

  it('finds a blob that is not what the manifest says, before it signs', async () => {
    const path = join(folder, 'damaged');
    const bytes = Buffer.from(small.bytes);
    bytes.writeUInt8(0x21, bytes.indexOf('moremore'));
    await writeFile(path, bytes);
    const signing = {kind: 'keys', privateKeys: [other.privateKey]} as const;
    await assert.rejects(signPayload(path, join(folder, 'never'), signing, WORK), {code: 'wrong-hash'});
  });
});

describe('inspectPayload', () => {
  it('says who signed it, as far as it was asked', async () => {
    const none = await inspectPayload(original, [], WORK);
    assert.equal(none.isTrusted, null);
    const known = await inspectPayload(original, [{name: 'release', key: first}], WORK);
    assert.equal(known.isTrusted, true);
    assert.equal(known.metadataSignatures[0]?.by?.name, 'release');
    assert.equal(known.payloadSignatures[0]?.by?.name, 'release');
    const unknown = await inspectPayload(original, [{name: 'x', key: other.publicKey}], WORK);
    assert.equal(unknown.isTrusted, false);
    assert.deepEqual(
      known.partitions.map(({name, bytes, blobBytes}) => [name, bytes, blobBytes]),
      [
        ['usr', 20_480, 12_288],
        ['kernel', 4096, 6],
      ],
    );
  });
});

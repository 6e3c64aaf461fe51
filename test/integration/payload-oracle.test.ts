/**
 * A payload as others see it: protoc (package protobuf-compiler) reads the manifest by the published field numbers, and
 * a shell script checks hashes and signatures and unpacks it with sha256sum, openssl, xz, bzip2, dd and veritysetup.
 */
import assert from 'node:assert/strict';
import {createPrivateKey, createPublicKey} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {sourceOf} from '../../formats/byte-source.ts';
import {makeKeys} from '../../payload/dev-keys.ts';
import {MakePayloadError} from '../../payload/errors.ts';
import {makePayload} from '../../payload/make.ts';
import {checkPayload} from '../../payload/metadata.ts';
import {exec} from '../../platform/exec.ts';
import {silentLog} from '../../platform/log.ts';
import {repeatable, varied, writePayloadRelease} from '../support/payload-release.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {skipWithout} from '../support/tool.ts';

const folder = await mkdtemp(join(tmpdir(), 'payload-oracle-'));
after(() => rm(folder, {recursive: true}));
const signal = new AbortController().signal;
const SCRIPT = join(ROOT_DIR, 'test/fixtures/check-payload.sh');

const skip =
  (await skipWithout(['protoc'], 'protobuf-compiler')) ||
  (await skipWithout(['openssl'], 'openssl')) ||
  (await skipWithout(['veritysetup'], 'cryptsetup-bin')) ||
  (await skipWithout(['xz'], 'xz-utils')) ||
  (await skipWithout(['bzip2'], 'bzip2'));

describe('a payload', {skip}, () => {
  it('is read, checked and unpacked by tools that know nothing of us', async () => {
    const directory = join(folder, 'varied');
    const release = await writePayloadRelease(directory, varied());
    const options = {
      folder,
      name: 'test',
      bits: 4096,
      subject: 'test',
      days: 1,
      now: new Date(),
      force: false,
    };
    const keys = await makeKeys(options);
    const privateKeys = [createPrivateKey(await readFile(keys.privateKey))];
    const out = join(folder, 'update.payload');
    const signing = {kind: 'keys', privateKeys} as const;
    const make = {directory, release, signing, jobs: 2, signal, log: silentLog};
    const {manifest} = await makePayload({...make, out});
    const types = manifest.partitions[0]?.operations.map(({type}) => type);
    assert.deepEqual(new Set(types), new Set(['REPLACE', 'ZERO', 'REPLACE_BZ', 'REPLACE_XZ']));

    const unpacked = join(folder, 'unpacked');
    const {stdout} = await exec([SCRIPT, out, keys.publicKey, unpacked]);
    assert.deepEqual(stdout.trim().split('\n'), [
      'header',
      'length',
      'metadata signature',
      'payload signature',
      `${manifest.partitions.flatMap(({operations}) => operations).length} operations`,
      'partition kernel',
      'partition usr',
    ]);
    assert.deepEqual(await readFile(join(unpacked, 'usr.img')), await readFile(join(directory, 'usr.img')));
    const uki = await readFile(join(directory, 'uki.efi'));
    const kernel = await readFile(join(unpacked, 'kernel.img'));
    assert.deepEqual(kernel, Buffer.concat([uki, Buffer.alloc(kernel.length - uki.length)]));
    const text = await readFile(join(unpacked, 'manifest.txt'), 'utf8');
    assert.match(text, /^max_timestamp: 1795054374$/m);
    assert.match(text, /^ {2}version: "caisson\/x86-64\/1\.2\.3"$/m);
    // protoc shows fields that it has no name for by their number.
    assert.doesNotMatch(text, /^ *\d+:/m);

    const again = join(folder, 'again.payload');
    await makePayload({...make, out: again, jobs: 1});
    assert.deepEqual(await readFile(again), await readFile(out));
    await assert.rejects(
      exec([SCRIPT, out, (await makeKeys({...options, name: 'other'})).publicKey, unpacked]),
    );
    const keysOf = privateKeys.map((key) => createPublicKey(key));
    await checkPayload(sourceOf(await readFile(out)), keysOf, {signal, onBytes: () => undefined});
  });

  it('is not made of a release whose files are not what it says', async () => {
    const directory = join(folder, 'wrong');
    const release = await writePayloadRelease(directory, repeatable(50 * 4096));
    const {privateKey} = await makeKeys({
      ...{folder, name: 'wrong', bits: 2048, subject: 'test', days: 1, now: new Date(), force: false},
    });
    const signing = {kind: 'keys', privateKeys: [createPrivateKey(await readFile(privateKey))]} as const;
    const make = {directory, signing, out: join(directory, 'x'), jobs: 1, signal, log: silentLog};
    const [usrPath, ukiPath] = [join(directory, 'usr.img'), join(directory, 'uki.efi')];
    const [usr, uki] = [await readFile(usrPath), await readFile(ukiPath)];
    const before = await readdir(directory);
    const refuses = async (message: RegExp): Promise<void> => {
      await assert.rejects(makePayload({...make, release}), (error) => {
        return error instanceof MakePayloadError && message.test(error.message);
      });
      assert.deepEqual(await readdir(directory), before);
    };
    const damage = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };
    await writeFile(usrPath, damage(usr, 1000));
    await refuses(/has root hash/);
    await writeFile(usrPath, damage(usr, usr.length - 4096));
    await refuses(/the verity tree is not that of the data/);
    await writeFile(usrPath, usr.subarray(0, -4096));
    await refuses(/verity superblock/);
    await writeFile(usrPath, usr);
    await writeFile(ukiPath, damage(uki, 5));
    await refuses(/uki\.efi has SHA-256/);
  });
});

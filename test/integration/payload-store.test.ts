/** Payloads on their way into the folder of a server: in pieces, broken off, damaged, too large, without room. */
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm, truncate, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {ServerError} from '../../server/errors.ts';
import {type PayloadStore, openPayloadStore} from '../../server/publish/payload-store.ts';

const BYTES = randomBytes(100_000);
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const codeOf = (code: string) => (error: unknown) => error instanceof ServerError && error.code === code;
const accept = (): Promise<void> => Promise.resolve();

async function* chunks(bytes: Uint8Array, failAfter = Infinity): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 1000) {
    if (offset >= failAfter) throw new Error('the connection is gone');
    yield bytes.subarray(offset, offset + 1000);
    await Promise.resolve();
  }
}

describe('a store of payloads', () => {
  let dir: string;
  let store: PayloadStore;
  const open = (changes: {maxBytes?: number; reserveBytes?: number} = {}): Promise<PayloadStore> =>
    openPayloadStore({dir, maxBytes: 1 << 20, reserveBytes: 0, now: Date.now, ...changes});
  const append = (from: number, to: number, failAfter?: number): Promise<number> =>
    store.append(SHA256, {
      ...{offset: from, total: BYTES.length},
      chunks: chunks(BYTES.subarray(from, to), failAfter),
    });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'payloads-'));
    store = await open();
  });
  afterEach(() => rm(dir, {recursive: true, force: true}));

  it('takes pieces, and puts the whole in its place', async () => {
    assert.equal(await store.received(SHA256), 0);
    assert.equal(await append(0, 30_000), 30_000);
    assert.equal(await store.find(SHA256), null);
    await assert.rejects(store.settle(SHA256, BYTES.length, accept), codeOf('incomplete'));
    store = await open();
    assert.equal(await append(await store.received(SHA256), BYTES.length), BYTES.length);
    const {path, bytes, sha1} = await store.settle(SHA256, BYTES.length, accept);
    assert.equal(bytes, BYTES.length);
    assert.deepEqual(await readFile(path), BYTES);
    const again = await store.settle(SHA256, BYTES.length, accept);
    assert.deepEqual([again.path, again.sha1], [path, sha1]);
    assert.equal(sha1, createHash('sha1').update(BYTES).digest('base64'));
    await store.remove(SHA256);
    assert.deepEqual(await readdir(dir), []);
  });

  it('goes on where a connection broke off', async () => {
    await assert.rejects(append(0, BYTES.length, 40_000), /the connection is gone/);
    assert.equal(await store.received(SHA256), 40_000);
    await assert.rejects(append(0, 10), codeOf('other-offset'));
    await append(40_000, BYTES.length);
    await store.settle(SHA256, BYTES.length, accept);
  });

  it('takes damaged bytes away, and keeps sound ones that a check refuses', async () => {
    await append(0, BYTES.length);
    await assert.rejects(
      store.settle(SHA256, BYTES.length, () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(await store.find(SHA256), null);
    assert.equal(await store.received(SHA256), BYTES.length);
    // As a power cut may leave a file: as long as it was, with zeros.
    await truncate(join(dir, `${SHA256}.part`), 50_000);
    await truncate(join(dir, `${SHA256}.part`), BYTES.length);
    await assert.rejects(store.settle(SHA256, BYTES.length, accept), codeOf('damaged'));
    assert.deepEqual(await readdir(dir), []);
  });

  it('has bounds', async () => {
    await assert.rejects(
      store.append(SHA256, {offset: 0, total: 10, chunks: chunks(BYTES)}),
      codeOf('too-large'),
    );
    store = await open({maxBytes: 1000});
    await assert.rejects(append(0, 10), codeOf('too-large'));
    store = await open({reserveBytes: 2 ** 60});
    await assert.rejects(append(0, BYTES.length), (error) => {
      assert.ok(codeOf('no-room')(error));
      assert.match((error as Error).message, /100 kB more: .* are free in .* have to stay so/);
      return true;
    });
  });

  it('lets one request at a time be about a payload', async () => {
    const first = append(0, BYTES.length);
    await assert.rejects(append(0, 10), codeOf('busy'));
    await first;
  });

  it('sweeps what nobody goes on with, and payloads of no release', async () => {
    await append(0, 10);
    const [a, b, c] = ['1', '2', '3'].map((digit) => digit.repeat(64));
    const old = [`${a}.part`, `${b}.payload`, `${c}.payload`];
    for (const name of old) {
      await writeFile(join(dir, name), 'x');
      await utimes(join(dir, name), 1000, 1000);
    }
    assert.deepEqual((await store.sweep(2_000_000, new Set([c ?? '']))).toSorted(), old.slice(0, 2));
    assert.deepEqual((await readdir(dir)).toSorted(), [old[2], `${SHA256}.part`].toSorted());
    // One that is about to be published is not taken.
    await store.settle(c ?? '', 1, accept);
    assert.deepEqual(await store.sweep(2_000_000, new Set()), []);
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../formats/byte-source.ts';
import {vouchForPayload} from '../../../payload/vouch.ts';
import {OTHER_KEY, TEST_KEY, buildPayload} from '../../support/payload.ts';
import {extent} from '../../support/payload-sample.ts';

const CONTENT = Buffer.alloc(2 * 4096, 'usr');
const MINE = {name: 'mine', key: TEST_KEY.publicKey};
const OTHER = {name: 'other', key: OTHER_KEY.publicKey};

function payload(keys = [TEST_KEY.privateKey]): {bytes: Buffer; blobsOffset: number} {
  const blob = {type: 'REPLACE', blob: CONTENT, dst: [extent(0, 2)]} as const;
  return buildPayload([{name: 'usr', content: CONTENT, operations: [blob]}], {keys});
}

async function vouch(
  bytes: Uint8Array,
  keys = [MINE],
  onBytes: (count: number) => void = () => undefined,
): Promise<string> {
  const {signal} = new AbortController();
  return (await vouchForPayload(sourceOf(bytes), keys, {signal, onBytes})).name;
}

function changed({bytes}: {bytes: Buffer}, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

describe('vouchForPayload', () => {
  it('names the key that signed, of those that are trusted', async () => {
    const {bytes} = payload();
    assert.equal(await vouch(bytes), 'mine');
    assert.equal(await vouch(bytes, [OTHER, MINE]), 'mine');
    assert.equal(await vouch(payload([OTHER_KEY.privateKey, TEST_KEY.privateKey]).bytes), 'mine');
  });

  it('shows how far it is: each blob counts when it is hashed, and when the whole is', async () => {
    let bytes = 0;
    await vouch(payload().bytes, [MINE], (count) => (bytes += count));
    assert.equal(bytes, 2 * CONTENT.length);
  });

  it('refuses what nobody trusted signed', async () => {
    const untrusted = {name: 'PayloadError', code: 'untrusted'};
    await assert.rejects(vouch(payload().bytes, [OTHER]), untrusted);
    await assert.rejects(vouch(payload().bytes, []), untrusted);
  });

  it('refuses a change of any byte, and of the length', async () => {
    const built = payload();
    for (let at = 0; at < built.bytes.length; at += 37)
      await assert.rejects(vouch(changed(built, at)), {name: 'PayloadError'}, `byte ${at}`);
    await assert.rejects(vouch(built.bytes.subarray(0, -1)), {code: 'truncated'});
    await assert.rejects(vouch(Buffer.concat([built.bytes, Buffer.alloc(1)])), {code: 'bad-data'});
    await assert.rejects(vouch(changed(built, built.blobsOffset)), {code: 'wrong-hash'});
    await assert.rejects(vouch(changed(built, built.bytes.length - 20)), {code: 'untrusted'});
  });
});

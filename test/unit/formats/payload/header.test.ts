import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodePayloadHeader, encodePayloadHeader, payloadLayout} from '../../../../formats/payload/header.ts';
import {PayloadError} from '../../../../formats/payload/types.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const HEADER = {manifestBytes: 0x1234, metadataSignatureBytes: 267};

function changed(offset: number, ...bytes: number[]): Uint8Array {
  const copy = Uint8Array.from(encodePayloadHeader(HEADER));
  copy.set(bytes, offset);
  return copy;
}

describe('payload header', () => {
  it('has its numbers in network order', () => {
    assert.equal(
      Buffer.from(encodePayloadHeader(HEADER)).toString('hex'),
      '43724155000000000000000200000000000012340000010b',
    );
    assert.deepEqual(decodePayloadHeader(encodePayloadHeader(HEADER)), HEADER);
  });

  it('is refused when it is another file, another version, or speaks of too much', () => {
    const refusals: [Uint8Array, string][] = [
      [changed(0, 0x44), 'bad-header'],
      [changed(11, 1), 'unsupported'],
      [changed(4, 1), 'unsupported'],
      [changed(12, 1), 'bad-header'],
      [changed(16, 1), 'bad-header'],
      [changed(18, 0, 0), 'bad-header'],
      [changed(20, 1), 'bad-header'],
      [changed(0).subarray(0, 23), 'truncated'],
    ];
    for (const [bytes, code] of refusals) assert.throws(() => decodePayloadHeader(bytes), {code});
  });

  it('lets nothing but PayloadError out of damage', () => {
    fc.assert(
      fc.property(damaged(encodePayloadHeader(HEADER)), (bytes) =>
        succeedsOrThrows(PayloadError, () => decodePayloadHeader(bytes)),
      ),
    );
  });

  it('leads to the places of everything else', () => {
    const layout = payloadLayout(HEADER, {signaturesOffset: 1000, signaturesBytes: 267});
    assert.deepEqual(layout, {
      metadataBytes: 24 + 0x1234,
      blobsOffset: 24 + 0x1234 + 267,
      signaturesOffset: 24 + 0x1234 + 267 + 1000,
      totalBytes: 24 + 0x1234 + 267 + 1000 + 267,
    });
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeGuid, encodeGuid, GuidError, guidFromHex, parseGuid} from '../../../formats/guid.ts';
import {fc} from '../../support/property.ts';

describe('GUID', () => {
  it('is mixed endian on disk, as in UEFI 2.10 appendix A', () => {
    const bytes = encodeGuid('C12A7328-F81F-11D2-BA4B-00A0C93EC93B');
    assert.equal(Buffer.from(bytes).toString('hex'), '28732ac11ff8d211ba4b00a0c93ec93b');
    assert.equal(decodeGuid(bytes), 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b');
  });

  it('survives encoding and decoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({minLength: 16, maxLength: 16}), (bytes) => {
        assert.deepEqual(encodeGuid(decodeGuid(bytes)), bytes);
      }),
    );
  });

  it('takes its digits from the start of a root hash', () => {
    const hash = '00112233445566778899aabbccddeeff0123456789abcdef';
    assert.equal(guidFromHex(hash), '00112233-4455-6677-8899-aabbccddeeff');
  });

  it('refuses what is none', () => {
    for (const text of [
      '',
      'c12a7328',
      'g12a7328-f81f-11d2-ba4b-00a0c93ec93b',
      '{c12a7328-f81f-11d2-ba4b}',
    ]) {
      assert.throws(() => parseGuid(text), GuidError);
    }
    assert.throws(() => guidFromHex('abcd'), GuidError);
    assert.throws(() => decodeGuid(new Uint8Array(15)), GuidError);
  });
});

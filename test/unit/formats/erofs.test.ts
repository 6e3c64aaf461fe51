import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ErofsError, decodeErofsSuperblock} from '../../../formats/erofs.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

/** Of an image that `mkfs.erofs -T1795054374` made of one file; see test/integration/erofs-oracle.test.ts. */
function superblock(): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.writeUInt32LE(0xe0f5_e1e2);
  bytes.writeUInt8(12, 12);
  bytes.writeBigUInt64LE(2n, 16);
  bytes.writeBigUInt64LE(1_795_054_374n, 24);
  bytes.writeUInt32LE(3, 36);
  bytes.write('7412dc595cc365a5a8493d492a99c99d', 48, 'hex');
  return bytes;
}

describe('decodeErofsSuperblock', () => {
  it('tells length and age', () => {
    assert.deepEqual(decodeErofsSuperblock(superblock()), {
      uuid: '7412dc59-5cc3-65a5-a849-3d492a99c99d',
      bytes: 3 * 4096,
      inodes: 2,
      madeAt: 1_795_054_374,
    });
  });

  it('refuses anything else', () => {
    assert.throws(() => decodeErofsSuperblock(new Uint8Array(128)), ErofsError);
    assert.throws(() => decodeErofsSuperblock(superblock().subarray(0, 127)), ErofsError);
    const odd = superblock();
    odd.writeUInt8(40, 12);
    assert.throws(() => decodeErofsSuperblock(odd), /2\^40/);
    fc.assert(
      fc.property(damaged(superblock()), (bytes) =>
        succeedsOrThrows(ErofsError, () => decodeErofsSuperblock(bytes)),
      ),
    );
  });
});

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {describe, it} from 'node:test';
import {
  decodeVeritySuperblock,
  encodeVeritySuperblock,
  guidFromRootHash,
  verityGuidFromRootHash,
  VerityError,
  verityLayout,
  VerityTree,
} from '../../../formats/verity.ts';
import {GuidError} from '../../../formats/guid.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

const BLOCK = 4096;
const UUID = '01234567-89ab-cdef-0123-456789abcdef';

function rejects(code: string, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof VerityError && error.code === code);
}

/** The tree by the book: hash every block, fill up to whole blocks, again until one digest is left. */
function naiveTree(data: Buffer, salt: Uint8Array): {rootHash: Buffer; tree: Buffer} {
  const levels: Buffer[] = [];
  let level = data;
  for (;;) {
    const digests: Buffer[] = [];
    for (let at = 0; at < level.length; at += BLOCK) {
      digests.push(
        createHash('sha256')
          .update(salt)
          .update(level.subarray(at, at + BLOCK))
          .digest(),
      );
    }
    const [only] = digests;
    if (only !== undefined && digests.length === 1) return {rootHash: only, tree: Buffer.concat(levels)};
    level = Buffer.concat([...digests, Buffer.alloc((BLOCK - ((digests.length * 32) % BLOCK)) % BLOCK)]);
    levels.unshift(level);
  }
}

function treeOf(data: Buffer, salt: Uint8Array, chunkBlocks: number): {rootHash: Buffer; tree: Buffer} {
  const tree = new VerityTree({salt});
  for (let at = 0; at < data.length; at += chunkBlocks * BLOCK) {
    tree.update(data.subarray(at, at + chunkBlocks * BLOCK));
  }
  assert.equal(tree.dataBlocks, data.length / BLOCK);
  return tree.finish();
}

function sampleData(blocks: number): Buffer {
  const data = Buffer.alloc(blocks * BLOCK);
  for (let block = 0; block < blocks; block += 1)
    data.writeUInt32LE(block + 1, block * BLOCK + (block % 4000));
  return data;
}

describe('VerityTree', () => {
  for (const blocks of [1, 2, 127, 128, 129, 256, 16_384, 16_385]) {
    it(`hashes ${blocks} blocks as the definition says`, () => {
      const data = sampleData(blocks);
      const salt = Buffer.from('salt');
      const found = treeOf(data, salt, 64);
      assert.ok(found.rootHash.equals(naiveTree(data, salt).rootHash));
      assert.ok(found.tree.equals(naiveTree(data, salt).tree));
      assert.equal(found.tree.length, verityLayout(blocks).treeBytes);
    });
  }

  it('does not depend on how the data is cut, nor wants a salt', () => {
    const data = sampleData(300);
    fc.assert(
      fc.property(fc.integer({min: 1, max: 301}), fc.uint8Array({maxLength: 256}), (chunkBlocks, salt) => {
        assert.deepEqual(treeOf(data, salt, chunkBlocks), treeOf(data, salt, 300));
      }),
      {numRuns: 25},
    );
  });

  it('refuses parts of blocks, no data, and a second end', () => {
    const tree = new VerityTree({salt: new Uint8Array()});
    rejects('out-of-range', () => {
      tree.update(new Uint8Array(BLOCK + 1));
    });
    tree.update(new Uint8Array(BLOCK));
    tree.finish();
    rejects('finished', () => tree.finish());
    rejects('finished', () => {
      tree.update(new Uint8Array(BLOCK));
    });
    rejects('out-of-range', () => new VerityTree({salt: new Uint8Array()}).finish());
    rejects('out-of-range', () => new VerityTree({salt: new Uint8Array(257)}));
  });
});

describe('verityLayout', () => {
  it('puts superblock and tree behind the data, top level first', () => {
    assert.deepEqual(verityLayout(129), {
      dataBytes: 129 * BLOCK,
      superblockOffset: 129 * BLOCK,
      treeOffset: 130 * BLOCK,
      treeBytes: 3 * BLOCK,
      totalBytes: 133 * BLOCK,
      levels: [
        {offset: 130 * BLOCK, blocks: 1},
        {offset: 131 * BLOCK, blocks: 2},
      ],
    });
    assert.deepEqual(verityLayout(1).levels, []);
  });

  it('refuses impossible sizes', () => {
    for (const blocks of [0, -1, 1.5, NaN, 2 ** 34 + 1]) rejects('out-of-range', () => verityLayout(blocks));
  });
});

describe('superblock', () => {
  const salt = Uint8Array.of(1, 2, 3);
  const bytes = encodeVeritySuperblock({uuid: UUID, salt, dataBlocks: 5});

  it('has the documented fields in the documented places', () => {
    assert.equal(bytes.length, BLOCK);
    assert.equal(
      bytes.subarray(0, 96).toString('hex'),
      '7665726974790000' + // "verity"
        '01000000' + // version
        '01000000' + // hash type
        '0123456789abcdef0123456789abcdef' +
        '7368613235360000000000000000000000000000000000000000000000000000' + // "sha256"
        '00100000' +
        '00100000' +
        '0500000000000000' +
        '0300' + // bytes of salt
        '000000000000' +
        '0102030000000000',
    );
  });

  it('reads back what is written', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({maxLength: 256}),
        fc.integer({min: 1, max: 2 ** 34}),
        (someSalt, dataBlocks) => {
          const given = {uuid: UUID, salt: someSalt, dataBlocks};
          assert.deepEqual(decodeVeritySuperblock(encodeVeritySuperblock(given)), given);
        },
      ),
    );
  });

  it('refuses what it would not write', () => {
    const patched = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    };
    rejects('bad-superblock', () => decodeVeritySuperblock(bytes.subarray(0, 511)));
    rejects('bad-superblock', () => decodeVeritySuperblock(patched(0, 0)));
    for (const at of [8, 12, 64, 69]) rejects('unsupported', () => decodeVeritySuperblock(patched(at, 2)));
    rejects('unsupported', () => decodeVeritySuperblock(patched(35, 0x35)));
    rejects('bad-superblock', () => decodeVeritySuperblock(patched(81, 2)));
    rejects('bad-superblock', () => decodeVeritySuperblock(patched(91, 1)));
    rejects('out-of-range', () => decodeVeritySuperblock(patched(72, 0)));
    rejects('out-of-range', () => decodeVeritySuperblock(patched(79, 1)));
    rejects('out-of-range', () =>
      encodeVeritySuperblock({uuid: UUID, salt: new Uint8Array(257), dataBlocks: 1}),
    );
    rejects('out-of-range', () => encodeVeritySuperblock({uuid: UUID, salt, dataBlocks: 0}));
    assert.throws(() => encodeVeritySuperblock({uuid: 'x', salt, dataBlocks: 1}), GuidError);
  });

  it('never fails in another way on damaged bytes', () => {
    fc.assert(
      fc.property(damaged(bytes.subarray(0, 512)), (some) => {
        succeedsOrThrows(VerityError, () => decodeVeritySuperblock(some));
      }),
    );
  });
});

describe('GUIDs of a root hash', () => {
  it('are its first and its last half in the order of the text', () => {
    const rootHash = '00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef';
    assert.equal(guidFromRootHash(rootHash), '00112233-4455-6677-8899-aabbccddeeff');
    assert.equal(verityGuidFromRootHash(rootHash), '01234567-89ab-cdef-0123-456789abcdef');
  });

  it('want a whole root hash', () => {
    for (const text of ['', '00'.repeat(31), '00'.repeat(33), 'zz'.repeat(32), 'AA'.repeat(32)]) {
      rejects('bad-hash', () => guidFromRootHash(text));
    }
  });
});

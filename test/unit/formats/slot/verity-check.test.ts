import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../../formats/byte-source.ts';
import {VerityError, VerityTree, encodeVeritySuperblock, verityLayout} from '../../../../formats/verity.ts';
import {VerityCheckError, findVerity, verifyVerity} from '../../../../formats/slot/verity-check.ts';

const options = {signal: new AbortController().signal, onBytes: () => undefined};

function image(blocks: number): {bytes: Buffer; rootHash: string} {
  const salt = randomBytes(32);
  const data = randomBytes(blocks * 4096);
  const verity = new VerityTree({salt});
  verity.update(data);
  const {rootHash, tree} = verity.finish();
  const uuid = 'aabbccdd-0011-2233-4455-66778899aabb';
  const superblock = encodeVeritySuperblock({uuid, salt, dataBlocks: blocks});
  return {bytes: Buffer.concat([data, superblock, tree]), rootHash: rootHash.toString('hex')};
}

describe('findVerity and verifyVerity', () => {
  for (const blocks of [1, 2, 128, 129, 300]) {
    it(`give the root hash of ${blocks} blocks`, async () => {
      const {bytes, rootHash} = image(blocks);
      // A partition is longer than what it holds.
      const source = sourceOf(Buffer.concat([bytes, Buffer.alloc(10_000)]));
      const found = await findVerity(source, blocks * 4096);
      assert.equal(found.rootHash, rootHash);
      assert.equal(found.bytes, bytes.length);
      let read = 0;
      const verified = await verifyVerity(source, blocks * 4096, {
        ...options,
        onBytes: (count) => (read += count),
      });
      assert.deepEqual(verified, found);
      assert.equal(read, blocks * 4096);
    });
  }

  it('name the block that was changed', async () => {
    const {bytes} = image(300);
    bytes[217 * 4096 + 5] = (bytes[217 * 4096 + 5] ?? 0) ^ 1;
    await findVerity(sourceOf(bytes), 300 * 4096);
    await assert.rejects(
      verifyVerity(sourceOf(bytes), 300 * 4096, options),
      (error) => error instanceof VerityCheckError && error.message.startsWith('block 217 of /usr,'),
    );
  });

  it('notice a changed top block, a changed tree, a wrong place and a missing end', async () => {
    const blocks = 300;
    const {bytes, rootHash} = image(blocks);
    const {treeOffset, levels} = verityLayout(blocks);
    const broken = (at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const other = await findVerity(sourceOf(broken(treeOffset)), blocks * 4096);
    assert.notEqual(other.rootHash, rootHash);
    await assert.rejects(verifyVerity(sourceOf(broken(treeOffset)), blocks * 4096, options), /tree differs/);
    const leaf = (levels.at(-1)?.offset ?? 0) + 32 * 7;
    await assert.rejects(verifyVerity(sourceOf(broken(leaf)), blocks * 4096, options), /block 7 of/);
    await assert.rejects(findVerity(sourceOf(bytes), (blocks - 1) * 4096), VerityError);
    const moved = Buffer.concat([Buffer.alloc(4096), bytes]);
    await assert.rejects(findVerity(sourceOf(moved), (blocks + 1) * 4096), /is for 1228800 bytes/);
    await assert.rejects(findVerity(sourceOf(bytes.subarray(0, treeOffset)), blocks * 4096), /ends there/);
    await assert.rejects(
      verifyVerity(sourceOf(bytes.subarray(0, bytes.length - 1)), blocks * 4096, options),
      /ends there/,
    );
  });

  it('stop when told to', async () => {
    const {bytes} = image(300);
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(verifyVerity(sourceOf(bytes), 300 * 4096, {...options, signal}), /enough/);
  });
});

/** Each rule with a manifest that breaks it and nothing else. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {MAX_BLOB_BYTES, MAX_PARTITION_BYTES} from '../../../../formats/payload/limits.ts';
import {decodeManifest, encodeManifest} from '../../../../formats/payload/manifest.ts';
import {checkManifest} from '../../../../formats/payload/rules.ts';
import type {HashTree, Manifest, Operation, PartitionUpdate} from '../../../../formats/payload/types.ts';
import {
  blob,
  deltaManifest,
  extent,
  fullManifest,
  fullPartition,
  operation,
  sha256,
} from '../../../support/payload-sample.ts';

function refuses(manifest: Manifest, code: string, message: RegExp): void {
  assert.throws(() => checkManifest(manifest), {name: 'PayloadError', code, message});
  assert.throws(() => decodeManifest(encodeManifest(manifest)), {code, message});
}

const BLOCK = 4096;
const withUsr = (manifest: Manifest, changes: Partial<PartitionUpdate>): Manifest => ({
  ...manifest,
  partitions: manifest.partitions.map((each, index) => (index === 0 ? {...each, ...changes} : each)),
});
const full = (changes: Partial<PartitionUpdate>): Manifest => withUsr(fullManifest(), changes);
const delta = (changes: Partial<PartitionUpdate>): Manifest => withUsr(deltaManifest(), changes);
const withOperation = (manifest: Manifest, index: number, changes: Partial<Operation>): Manifest => {
  const operations = manifest.partitions[0]?.operations ?? [];
  return withUsr(manifest, {
    operations: operations.map((each, at) => (at === index ? {...each, ...changes} : each)),
  });
};
const inFull = (index: number, changes: Partial<Operation>): Manifest =>
  withOperation(fullManifest(), index, changes);
const inDelta = (index: number, changes: Partial<Operation>): Manifest =>
  withOperation(deltaManifest(), index, changes);
const withTree = (changes: Partial<HashTree>): Manifest => {
  const tree = fullPartition().hashTree;
  assert.ok(tree !== null);
  return full({hashTree: {...tree, ...changes}});
};

describe('checkManifest', () => {
  it('has nothing against the samples', () => {
    checkManifest(fullManifest());
    for (const minorVersion of [4, 5, 6, 7]) checkManifest(deltaManifest({minorVersion}));
  });

  it('knows minor versions 0 and 2 to 7', () => {
    for (const minorVersion of [1, 8, 2 ** 31]) refuses(fullManifest({minorVersion}), 'unsupported', /minor/);
  });

  it('lets operations in where their minor version allows them', () => {
    refuses(
      deltaManifest({minorVersion: 3}),
      'bad-operation',
      /BROTLI_BSDIFF in a payload of minor version 3/,
    );
    refuses(
      inFull(0, {type: 'SOURCE_COPY', data: null}),
      'bad-operation',
      /SOURCE_COPY in a payload of minor/,
    );
    refuses(inFull(0, {type: 'SOURCE_BSDIFF'}), 'bad-operation', /SOURCE_BSDIFF in a payload of minor/);
    const xz = {type: 'REPLACE_XZ', srcExtents: [], srcSha256: null} as const;
    refuses(
      {...inDelta(1, xz), minorVersion: 2},
      'bad-operation',
      /REPLACE_XZ in a payload of minor version 2/,
    );
    const zero = {type: 'ZERO', srcExtents: [], srcSha256: null} as const;
    refuses({...inDelta(0, zero), minorVersion: 3}, 'bad-operation', /ZERO in a payload of minor version 3/);
  });

  it('wants partitions, each once', () => {
    refuses(fullManifest({partitions: []}), 'bad-manifest', /no partition/);
    const [usr = fullPartition()] = fullManifest().partitions;
    refuses(fullManifest({partitions: [usr, {...usr}]}), 'bad-manifest', /usr is there twice/);
  });

  it('wants whole blocks, and a size that can be', () => {
    for (const bytes of [0, 10 * BLOCK + 1, MAX_PARTITION_BYTES + BLOCK])
      refuses(full({newInfo: {bytes, sha256: sha256('')}}), 'bad-manifest', /new_partition_info/);
    refuses(delta({oldInfo: {bytes: 100, sha256: sha256('')}}), 'bad-manifest', /old_partition_info/);
  });

  it('wants old_partition_info in deltas that read it, and nowhere else', () => {
    refuses(full({oldInfo: {bytes: BLOCK, sha256: sha256('')}}), 'bad-operation', /a full payload says/);
    refuses(delta({oldInfo: null}), 'bad-operation', /without old_partition_info/);
  });

  it('wants every block written', () => {
    refuses(inFull(1, {dstExtents: [extent(2, 1)]}), 'bad-operation', /block 2 is written twice/);
    refuses(full({newInfo: {bytes: 11 * BLOCK, sha256: sha256('')}}), 'bad-operation', /block 10 is never/);
    refuses(inFull(0, {dstExtents: [extent(1, 2)]}), 'bad-operation', /block 0 is never/);
    refuses(inFull(4, {dstExtents: [extent(8, 1)]}), 'bad-operation', /block 9 is never/);
    refuses(full({operations: [], hashTree: null}), 'bad-operation', /block 0 is never/);
  });

  it('counts the blocks of the hash tree as written, by the host', () => {
    refuses(full({hashTree: null}), 'bad-operation', /block 7 is never/);
    refuses(inFull(4, {dstExtents: [extent(7, 3)]}), 'bad-operation', /block 7 is written twice/);
  });

  it('wants extents inside the partition', () => {
    refuses(inFull(4, {dstExtents: [extent(8, 3)]}), 'bad-operation', /3 blocks from 8 on/);
    refuses(inFull(4, {dstExtents: [extent(2 ** 52, 2 ** 52)]}), 'bad-operation', /the partition has 10/);
    refuses(inFull(4, {dstExtents: [extent(8, 2), extent(10, 0)]}), 'bad-operation', /0 blocks from 10/);
    refuses(inFull(4, {dstExtents: []}), 'bad-operation', /it writes nothing/);
    refuses(inDelta(0, {srcExtents: [extent(7, 2)]}), 'bad-operation', /source: 2 blocks from 7 on/);
    refuses(inDelta(0, {srcExtents: []}), 'bad-operation', /without a source/);
  });

  it('wants blobs one behind the other, and the signatures behind the last', () => {
    refuses(inFull(2, {data: blob(701, 900)}), 'bad-operation', /its blob is at 701/);
    refuses(inFull(2, {data: blob(699, 900)}), 'bad-operation', /its blob is at 699/);
    refuses(inFull(0, {data: blob(1, 700)}), 'bad-operation', /ends at 0/);
    for (const signaturesOffset of [5609, 5611])
      refuses(fullManifest({signaturesOffset}), 'bad-manifest', /the blobs end at 5610/);
  });

  it('wants signatures, of bearable size', () => {
    for (const signaturesBytes of [0, 65_537])
      refuses(fullManifest({signaturesBytes}), 'bad-manifest', /expected 1 to 65536/);
  });

  it('wants a blob where one is used, and none elsewhere', () => {
    for (const index of [0, 2, 3]) refuses(inFull(index, {data: null}), 'bad-operation', /without a blob/);
    for (const index of [1, 4]) refuses(inFull(index, {data: blob(700, 5)}), 'bad-operation', /with a blob/);
    refuses(inDelta(0, {data: blob(0, 5)}), 'bad-operation', /SOURCE_COPY with a blob/);
    refuses(inFull(0, {data: blob(0, 0)}), 'bad-operation', /an empty blob/);
  });

  it('wants a blob that goes with what it fills', () => {
    refuses(inFull(3, {data: blob(1600, 4097)}), 'bad-operation', /REPLACE of 4097 bytes for 4096/);
    refuses(inFull(0, {type: 'REPLACE'}), 'bad-operation', /REPLACE of 700 bytes for 12288/);
    refuses(inFull(0, {data: blob(0, 12_288)}), 'bad-operation', /REPLACE_XZ of 12288 bytes for 12288/);
    refuses(inDelta(1, {data: blob(0, MAX_BLOB_BYTES + 1)}), 'unsupported', /at most/);
  });

  it('wants sources only where one is read, with their hash', () => {
    for (const index of [0, 1, 3]) {
      refuses(inFull(index, {srcExtents: [extent(0, 1)]}), 'bad-operation', /with a source/);
      refuses(inFull(index, {srcSha256: sha256('')}), 'bad-operation', /with a source/);
    }
    refuses(inDelta(1, {srcSha256: null}), 'bad-operation', /src_sha256_hash is missing/);
    const before = deltaManifest({minorVersion: 2});
    const [usr] = before.partitions;
    assert.ok(usr !== undefined);
    const copy = operation({type: 'SOURCE_COPY', srcExtents: [extent(0, 7)], dstExtents: [extent(0, 7)]});
    checkManifest({...before, signaturesOffset: 0, partitions: [{...usr, operations: [copy]}]});
  });

  it('wants a copy to be as long as its source', () => {
    refuses(inDelta(0, {srcExtents: [extent(2, 3)]}), 'bad-operation', /copies 3 blocks to 2/);
  });

  it('wants the hash tree that the host will compute', () => {
    refuses(withTree({data: extent(0, 11)}), 'bad-operation', /hash tree: 11 blocks from 0/);
    refuses(withTree({data: extent(0, 8)}), 'bad-manifest', /in its own data/);
    refuses(withTree({tree: extent(7, 2)}), 'bad-manifest', /hash tree of 2 blocks for 6, expected 1/);
    refuses(withTree({salt: new Uint8Array(257)}), 'bad-manifest', /salt of 257 bytes/);
    const {hashTree} = fullPartition();
    refuses(
      {...delta({hashTree, newInfo: {bytes: 8 * BLOCK, sha256: sha256('')}}), minorVersion: 5},
      'bad-manifest',
      /hash tree in a payload of minor version 5/,
    );
  });
});

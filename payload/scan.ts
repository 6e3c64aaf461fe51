/** The first pass over a partition: its hash, its zeros, and whether its verity tree is the one a host will compute. */
import {createHash} from 'node:crypto';
import {BLOCK_BYTES, type Extent, type HashTree} from '../formats/payload/types.ts';
import {VERITY_BLOCK_BYTES, VerityTree, decodeVeritySuperblock, verityLayout} from '../formats/verity.ts';
import {ZeroRuns} from './chunks.ts';
import {MakePayloadError} from './errors.ts';
import type {PartitionSource} from './source.ts';

/** Large enough for the disk, small beside what compressing takes. */
const READ_BYTES = 1 << 20;

export interface Scan {
  /** Of the file as it is, hex. */
  fileSha256: string;
  /** Of the partition: the file, and zeros up to a whole block. */
  sha256: Uint8Array;
  zeros: readonly Extent[];
}

export interface ExpectedTree {
  hashTree: HashTree;
  rootHash: string;
}

export interface ScanOptions {
  /** The tree that must be found, and its root hash. */
  expected: ExpectedTree | null;
  signal: AbortSignal;
  onBytes: (count: number) => void;
}

/** What the superblock behind a file system of `hashOffset` bytes says. Throws VerityError, MakePayloadError. */
export async function readHashTree(source: PartitionSource, hashOffset: number): Promise<HashTree> {
  const block = Buffer.alloc(VERITY_BLOCK_BYTES);
  await source.readInto(block, hashOffset);
  const {salt, dataBlocks} = decodeVeritySuperblock(block);
  const {superblockOffset, treeOffset, treeBytes, totalBytes} = verityLayout(dataBlocks);
  if (superblockOffset !== hashOffset || totalBytes !== source.fileBytes || treeBytes === 0)
    throw new MakePayloadError(
      'bad-release',
      `${source.path} has ${source.fileBytes} bytes and a verity superblock at ${hashOffset}, which speaks of ${superblockOffset} bytes of data and ${totalBytes} in all`,
    );
  return {
    data: {startBlock: 0, blocks: dataBlocks},
    tree: {startBlock: treeOffset / BLOCK_BYTES, blocks: treeBytes / BLOCK_BYTES},
    algorithm: 'sha256',
    salt,
  };
}

/** Reads all of the source once. Throws MakePayloadError 'bad-release' when the tree is not that of the data. */
export async function scanPartition(source: PartitionSource, options: ScanOptions): Promise<Scan> {
  const {expected, signal, onBytes} = options;
  const [fileHash, hash, zeros] = [createHash('sha256'), createHash('sha256'), new ZeroRuns()];
  const verity = expected === null ? null : new VerityTree({salt: expected.hashTree.salt});
  const dataEnd = (expected?.hashTree.data.blocks ?? 0) * BLOCK_BYTES;
  const treeStart = (expected?.hashTree.tree.startBlock ?? Infinity) * BLOCK_BYTES;
  const storedTree: Buffer[] = [];
  const buffer = Buffer.alloc(READ_BYTES);
  for (let at = 0; at < source.bytes; at += READ_BYTES) {
    signal.throwIfAborted();
    const piece = buffer.subarray(0, Math.min(READ_BYTES, source.bytes - at));
    await source.readInto(piece, at);
    fileHash.update(piece.subarray(0, source.fileBytes - at));
    hash.update(piece);
    zeros.update(piece);
    if (at < dataEnd) verity?.update(piece.subarray(0, dataEnd - at));
    if (at + piece.length > treeStart)
      storedTree.push(Buffer.from(piece.subarray(Math.max(0, treeStart - at))));
    onBytes(piece.length);
  }
  if (verity !== null && expected !== null)
    requireTree(verity, Buffer.concat(storedTree), expected, source.path);
  return {
    fileSha256: fileHash.digest('hex'),
    sha256: Uint8Array.from(hash.digest()),
    zeros: zeros.finish().filter(({startBlock}) => startBlock * BLOCK_BYTES < treeStart),
  };
}

function requireTree(verity: VerityTree, stored: Buffer, expected: ExpectedTree, path: string): void {
  const {rootHash, tree} = verity.finish();
  const found = rootHash.toString('hex');
  if (found !== expected.rootHash)
    throw new MakePayloadError(
      'bad-release',
      `${path}: the data has root hash ${found}, release.json says ${expected.rootHash}`,
    );
  if (!tree.equals(stored))
    throw new MakePayloadError('bad-release', `${path}: the verity tree is not that of the data`);
}

/** The first pass over a partition: its hash, its zeros, and whether its verity tree is the one a host will compute. */
import {createHash} from 'node:crypto';
import {type ByteSource, readExactly} from '../formats/byte-source.ts';
import {BLOCK_BYTES, type Extent, type HashTree} from '../formats/payload/types.ts';
import {VERITY_BLOCK_BYTES, VerityTree, decodeVeritySuperblock, verityLayout} from '../formats/verity.ts';
import {ZeroRuns} from './chunks.ts';
import {MakePayloadError} from './errors.ts';

/** Large enough for the disk, small beside what compressing takes. */
const READ_BYTES = 1 << 20;

export interface Scan {
  /** Of the source as it is. */
  fileSha256: string;
  /** Of the partition: the source, and zeros up to a whole block. */
  sha256: Uint8Array;
  zeros: readonly Extent[];
}

export interface ScanOptions {
  what: string;
  /** The tree that must be found, and its root hash. */
  expected: {hashTree: HashTree; rootHash: string} | null;
  signal: AbortSignal;
  onBytes: (count: number) => void;
}

/** The source with zeros behind it up to a whole block, which is how long a partition is. */
export function paddedToBlocks(source: ByteSource): ByteSource {
  const bytes = Math.ceil(source.bytes / BLOCK_BYTES) * BLOCK_BYTES;
  return {
    bytes,
    async readAt(offset, length) {
      const wanted = Math.max(0, Math.min(length, bytes - offset));
      const found = await source.readAt(offset, wanted);
      if (found.length === wanted || offset + found.length < source.bytes) return found;
      const padded = new Uint8Array(wanted);
      padded.set(found);
      return padded;
    },
  };
}

/** What the superblock behind a file system of `hashOffset` bytes says. Throws VerityError, MakePayloadError. */
export async function readHashTree(source: ByteSource, hashOffset: number, what: string): Promise<HashTree> {
  const {salt, dataBlocks} = decodeVeritySuperblock(
    await readExactly(source, hashOffset, VERITY_BLOCK_BYTES, `${what}: verity superblock`),
  );
  const {superblockOffset, treeOffset, treeBytes, totalBytes} = verityLayout(dataBlocks);
  if (superblockOffset !== hashOffset || totalBytes !== source.bytes || treeBytes === 0)
    throw new MakePayloadError(
      'bad-release',
      `${what} has ${source.bytes} bytes and its verity superblock at ${hashOffset}, but that speaks of ${superblockOffset} bytes of data, ${totalBytes} with the tree`,
    );
  return {
    data: {startBlock: 0, blocks: dataBlocks},
    tree: {startBlock: treeOffset / BLOCK_BYTES, blocks: treeBytes / BLOCK_BYTES},
    algorithm: 'sha256',
    salt,
  };
}

/** Reads all of the source once. Throws MakePayloadError 'bad-release' when the tree is not that of the data. */
export async function scanPartition(source: ByteSource, options: ScanOptions): Promise<Scan> {
  const {what, expected, signal, onBytes} = options;
  const [fileHash, zeros] = [createHash('sha256'), new ZeroRuns()];
  const verity = expected === null ? null : new VerityTree({salt: expected.hashTree.salt});
  const dataEnd = (expected?.hashTree.data.blocks ?? 0) * BLOCK_BYTES;
  const dataAndTreeStart = (expected?.hashTree.tree.startBlock ?? Infinity) * BLOCK_BYTES;
  const storedTree: Uint8Array[] = [];
  const zeroTail = Buffer.alloc(-source.bytes & (BLOCK_BYTES - 1));
  for (let at = 0; at < source.bytes; at += READ_BYTES) {
    signal.throwIfAborted();
    const length = Math.min(READ_BYTES, source.bytes - at);
    const piece = await readExactly(source, at, length, what);
    fileHash.update(piece);
    const isLast = at + length === source.bytes;
    zeros.update(isLast ? Buffer.concat([piece, zeroTail]) : asBuffer(piece));
    if (at < dataEnd) verity?.update(piece.subarray(0, dataEnd - at));
    if (at + length > dataAndTreeStart) storedTree.push(piece.subarray(Math.max(0, dataAndTreeStart - at)));
    onBytes(length);
  }
  if (verity !== null && expected !== null) {
    const {rootHash, tree} = verity.finish();
    if (rootHash.toString('hex') !== expected.rootHash || !tree.equals(Buffer.concat(storedTree)))
      throw new MakePayloadError(
        'bad-release',
        `${what}: its data gives root hash ${rootHash.toString('hex')}, release.json says ${expected.rootHash}, or the tree behind it is another`,
      );
  }
  return {
    fileSha256: fileHash.copy().digest('hex'),
    sha256: Uint8Array.from(fileHash.update(zeroTail).digest()),
    zeros: zeros.finish().filter(({startBlock}) => startBlock * BLOCK_BYTES < dataAndTreeStart),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What verity says of an image that lies in a file or a partition: quickly by its top block, or by all of it. */
import {createHash} from 'node:crypto';
import {type ByteSource, readExactly} from '../byte-source.ts';
import {CodedError} from '../errors.ts';
import {VERITY_BLOCK_BYTES, VerityTree, decodeVeritySuperblock, verityLayout} from '../verity.ts';

export class VerityCheckError extends CodedError<'misplaced' | 'damaged'> {}

export interface FoundVerity {
  /** What the tree's top block hashes to, 64 hex digits; the data is not looked at. */
  rootHash: string;
  salt: Uint8Array;
  /** Bytes of the file system; the superblock follows. */
  hashOffset: number;
  /** File system, superblock and tree. */
  bytes: number;
}

const CHUNK_BYTES = 4 << 20;
const DIGEST_BYTES = 32;

/** Reads superblock and top block. Throws VerityError, VerityCheckError or ByteSourceError. */
export async function findVerity(source: ByteSource, hashOffset: number): Promise<FoundVerity> {
  const block = await readExactly(source, hashOffset, VERITY_BLOCK_BYTES, 'verity superblock');
  const {salt, dataBlocks} = decodeVeritySuperblock(block);
  const layout = verityLayout(dataBlocks);
  if (layout.superblockOffset !== hashOffset) {
    throw new VerityCheckError(
      'misplaced',
      `the verity superblock at byte ${hashOffset} is for ${layout.superblockOffset} bytes of data`,
    );
  }
  // A single block of data has no tree: its own digest is the root hash.
  const top = await readExactly(source, layout.levels[0]?.offset ?? 0, VERITY_BLOCK_BYTES, 'verity tree');
  const rootHash = createHash('sha256').update(salt).update(top).digest('hex');
  return {rootHash, salt, hashOffset, bytes: layout.totalBytes};
}

export interface VerityCheckOptions {
  signal: AbortSignal;
  onBytes: (count: number) => void;
  /** Hears all data in order, so that another hash of it costs no second reading. Valid during the call. */
  onData?: (chunk: Uint8Array) => void;
}

/** Hashes all data and compares the whole tree. Throws what findVerity throws; 'damaged' says where. */
export async function verifyVerity(
  source: ByteSource,
  hashOffset: number,
  options: VerityCheckOptions,
): Promise<FoundVerity> {
  const found = await findVerity(source, hashOffset);
  const verity = new VerityTree({salt: found.salt});
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = 0; at < hashOffset; at += CHUNK_BYTES) {
    options.signal.throwIfAborted();
    const chunk = await readExactly(source, at, Math.min(CHUNK_BYTES, hashOffset - at), '/usr', buffer);
    verity.update(chunk);
    options.onData?.(chunk);
    options.onBytes(chunk.length);
  }
  const {rootHash, tree} = verity.finish();
  const {treeOffset, levels} = verityLayout(hashOffset / VERITY_BLOCK_BYTES);
  const stored = await readExactly(source, treeOffset, tree.length, 'verity tree');
  requireSameTree(tree, stored, (levels.at(-1)?.offset ?? treeOffset) - treeOffset, treeOffset);
  if (rootHash.toString('hex') !== found.rootHash) {
    throw new VerityCheckError(
      'damaged',
      `the data of /usr gives root hash ${rootHash.toString('hex')}, not ${found.rootHash}`,
    );
  }
  return found;
}

/** The lowest level comes first: a digest of it names the block, while all those above it differ as well. */
function requireSameTree(tree: Buffer, stored: Uint8Array, lowestLevel: number, treeOffset: number): void {
  const differs = (byte: number, index: number): boolean => byte !== stored[index];
  const place = tree.findIndex((byte, index) => index >= lowestLevel && differs(byte, index));
  if (place >= 0) {
    const block = Math.floor((place - lowestLevel) / DIGEST_BYTES);
    throw new VerityCheckError('damaged', `block ${block} of /usr, or the digest of it, is not what it was`);
  }
  const upper = tree.findIndex(differs);
  if (upper >= 0)
    throw new VerityCheckError('damaged', `the verity tree differs at byte ${treeOffset + upper}`);
}

/**
 * What the fields of a manifest must say together. A manifest that passes can be applied front to back without a seek
 * in the payload, writes every block of every partition once, and reads and writes nothing outside of them.
 *
 * Sources: the published format's comments, and the checks of the Python reader that comes with it (paycheck), which
 * refuses the same; where it is laxer than we are, docs/payload.md says so.
 */
import {verityLayout} from '../verity-layout.ts';
import {checkCoverage, countBlocks, requireInside} from './coverage.ts';
import {MAX_BLOB_BYTES, MAX_PARTITION_BYTES, MAX_SIGNATURES_BYTES} from './limits.ts';
import {
  BLOCK_BYTES,
  type HashTree,
  type Manifest,
  type Operation,
  type OperationType,
  type PartitionUpdate,
  PayloadError,
} from './types.ts';

/** 1 patched partitions in place; what came after 7 is not published with rules. */
const DELTA_MINOR_VERSIONS = [2, 3, 4, 5, 6, 7];
const FULL_MINOR_VERSION = 0;
const MAX_SALT_BYTES = 256;
/** From here on a delta says what it expects to read. */
const SOURCE_HASH_MINOR_VERSION = 3;
const HASH_TREE_MINOR_VERSION = 6;

/** The minor version of deltas from which an operation may be used; and whether full payloads may have it. */
const ALLOWED: Readonly<Record<OperationType, {since: number; full: boolean}>> = {
  REPLACE: {since: 2, full: true},
  REPLACE_BZ: {since: 2, full: true},
  REPLACE_XZ: {since: 3, full: true},
  ZERO: {since: 4, full: true},
  DISCARD: {since: 4, full: true},
  SOURCE_COPY: {since: 2, full: false},
  SOURCE_BSDIFF: {since: 2, full: false},
  BROTLI_BSDIFF: {since: 4, full: false},
};

/** Throws PayloadError 'bad-operation', 'bad-manifest' or 'unsupported' at the first rule that is broken. */
export function checkManifest(manifest: Manifest): void {
  const {minorVersion, partitions, signaturesOffset, signaturesBytes} = manifest;
  if (minorVersion !== FULL_MINOR_VERSION && !DELTA_MINOR_VERSIONS.includes(minorVersion))
    throw new PayloadError('unsupported', `payload of minor version ${minorVersion}`);
  if (partitions.length === 0) throw new PayloadError('bad-manifest', 'it has no partition');
  const names = new Set<string>();
  let blobsEnd = 0;
  for (const partition of partitions) {
    if (names.has(partition.name))
      throw new PayloadError('bad-manifest', `partition ${partition.name} is there twice`);
    names.add(partition.name);
    blobsEnd = checkPartition(partition, minorVersion, blobsEnd);
  }
  if (signaturesOffset !== blobsEnd)
    throw new PayloadError('bad-manifest', `signatures at ${signaturesOffset}, the blobs end at ${blobsEnd}`);
  if (signaturesBytes === 0 || signaturesBytes > MAX_SIGNATURES_BYTES)
    throw new PayloadError(
      'bad-manifest',
      `signatures of ${signaturesBytes} bytes, expected 1 to ${MAX_SIGNATURES_BYTES}`,
    );
}

/** Returns where the partition's last blob ends. */
function checkPartition(partition: PartitionUpdate, minorVersion: number, blobsStart: number): number {
  const {name, newInfo, oldInfo, operations, hashTree} = partition;
  const newBlocks = requireBlocks(newInfo.bytes, `${name}: new_partition_info`);
  if (oldInfo !== null && minorVersion === FULL_MINOR_VERSION)
    throw new PayloadError('bad-operation', `${name}: a full payload says what the old partition was`);
  const oldBlocks = oldInfo === null ? 0 : requireBlocks(oldInfo.bytes, `${name}: old_partition_info`);
  let blobsEnd = blobsStart;
  for (const [index, operation] of operations.entries()) {
    const what = `${name}, operation ${index}`;
    checkType(operation, minorVersion, what);
    checkTarget(operation, newBlocks, what);
    checkSource(operation, {minorVersion, oldBlocks, hasOld: oldInfo !== null}, what);
    if (operation.data === null) continue;
    if (operation.data.offset !== blobsEnd)
      throw new PayloadError(
        'bad-operation',
        `${what}: its blob is at ${operation.data.offset}, the one before ends at ${blobsEnd}`,
      );
    blobsEnd += operation.data.bytes;
  }
  const written = operations.flatMap(({dstExtents}) => dstExtents);
  if (hashTree !== null) {
    checkHashTree(hashTree, newBlocks, minorVersion, name);
    written.push(hashTree.tree);
  }
  checkCoverage(written, newBlocks, name);
  return blobsEnd;
}

function checkType({type}: Operation, minorVersion: number, what: string): void {
  const {since, full} = ALLOWED[type];
  if (minorVersion === FULL_MINOR_VERSION ? full : minorVersion >= since) return;
  throw new PayloadError('bad-operation', `${what}: ${type} in a payload of minor version ${minorVersion}`);
}

/** Destination and blob, which bound each other. */
function checkTarget({type, data, dstExtents}: Operation, newBlocks: number, what: string): void {
  if (dstExtents.length === 0) throw new PayloadError('bad-operation', `${what}: it writes nothing`);
  requireInside(dstExtents, newBlocks, `${what}: destination`);
  const dstBytes = countBlocks(dstExtents) * BLOCK_BYTES;
  if (type === 'ZERO' || type === 'DISCARD' || type === 'SOURCE_COPY') {
    if (data !== null) throw new PayloadError('bad-operation', `${what}: ${type} with a blob`);
    return;
  }
  if (data === null) throw new PayloadError('bad-operation', `${what}: ${type} without a blob`);
  if (data.bytes === 0) throw new PayloadError('bad-operation', `${what}: an empty blob`);
  if (data.bytes > MAX_BLOB_BYTES)
    throw new PayloadError('unsupported', `${what}: blob of ${data.bytes} bytes, at most ${MAX_BLOB_BYTES}`);
  const isTooShort = type === 'REPLACE' && data.bytes <= dstBytes - BLOCK_BYTES;
  // Whoever compresses takes the raw bytes when they are no longer; so a bound for the host's buffers holds.
  const isTooLong = type === 'REPLACE' ? data.bytes > dstBytes : data.bytes >= dstBytes;
  const isPatch = type === 'SOURCE_BSDIFF' || type === 'BROTLI_BSDIFF';
  if (isTooShort || (isTooLong && !isPatch))
    throw new PayloadError('bad-operation', `${what}: ${type} of ${data.bytes} bytes for ${dstBytes} bytes`);
}

function checkSource(
  {type, srcExtents, srcSha256, dstExtents}: Operation,
  {minorVersion, oldBlocks, hasOld}: {minorVersion: number; oldBlocks: number; hasOld: boolean},
  what: string,
): void {
  // Those that full payloads may not have are those that read the old partition.
  const reads = !ALLOWED[type].full;
  if (!reads) {
    if (srcExtents.length > 0 || srcSha256 !== null)
      throw new PayloadError('bad-operation', `${what}: ${type} with a source`);
    return;
  }
  if (!hasOld) throw new PayloadError('bad-operation', `${what}: ${type} without old_partition_info`);
  if (srcExtents.length === 0) throw new PayloadError('bad-operation', `${what}: ${type} without a source`);
  requireInside(srcExtents, oldBlocks, `${what}: source`);
  if (srcSha256 === null && minorVersion >= SOURCE_HASH_MINOR_VERSION)
    throw new PayloadError('bad-operation', `${what}: src_sha256_hash is missing`);
  const [from, to] = [countBlocks(srcExtents), countBlocks(dstExtents)];
  if (type === 'SOURCE_COPY' && from !== to)
    throw new PayloadError('bad-operation', `${what}: copies ${from} blocks to ${to}`);
}

/** The tree must be the one that the host will compute: of all its data, in the measures of verity-layout.ts. */
function checkHashTree(
  {data, tree, salt}: HashTree,
  blocks: number,
  minorVersion: number,
  name: string,
): void {
  if (minorVersion !== FULL_MINOR_VERSION && minorVersion < HASH_TREE_MINOR_VERSION)
    throw new PayloadError(
      'bad-manifest',
      `${name}: hash tree in a payload of minor version ${minorVersion}`,
    );
  requireInside([data, tree], blocks, `${name}: hash tree`);
  if (salt.length > MAX_SALT_BYTES)
    throw new PayloadError(
      'bad-manifest',
      `${name}: salt of ${salt.length} bytes, at most ${MAX_SALT_BYTES}`,
    );
  if (data.startBlock < tree.startBlock + tree.blocks && tree.startBlock < data.startBlock + data.blocks)
    throw new PayloadError('bad-manifest', `${name}: the hash tree lies in its own data`);
  const expected = verityLayout(data.blocks).treeBytes / BLOCK_BYTES;
  if (tree.blocks !== expected)
    throw new PayloadError(
      'bad-manifest',
      `${name}: hash tree of ${tree.blocks} blocks for ${data.blocks}, expected ${expected}`,
    );
}

function requireBlocks(bytes: number, what: string): number {
  if (bytes === 0 || bytes % BLOCK_BYTES !== 0 || bytes > MAX_PARTITION_BYTES)
    throw new PayloadError(
      'bad-manifest',
      `${what}: ${bytes} bytes, expected a multiple of ${BLOCK_BYTES} up to ${MAX_PARTITION_BYTES}`,
    );
  return bytes / BLOCK_BYTES;
}

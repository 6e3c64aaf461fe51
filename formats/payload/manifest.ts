/** The manifest of a payload: bytes to checked values and back. */
import {
  DELTA_ARCHIVE_MANIFEST,
  EXTENT,
  INSTALL_OPERATION,
  PARTITION_INFO,
  PARTITION_UPDATE,
} from './messages.ts';
import {
  MAX_EXTENTS,
  MAX_MANIFEST_BYTES,
  MAX_OPERATIONS,
  MAX_PARTITIONS,
  MAX_VERSION_BYTES,
} from './limits.ts';
import {checkManifest} from './rules.ts';
import {
  BLOCK_BYTES,
  type Extent,
  type HashTree,
  type Manifest,
  OPERATION_TYPES,
  type Operation,
  type OperationType,
  type PartitionInfo,
  type PartitionUpdate,
  PayloadError,
} from './types.ts';

const SHA256_BYTES = 32;
/** What a manifest without the field means. */
const DEFAULT_MINOR_VERSION = 0;
/** Part of file names when partitions are extracted, so nothing that a path could be made of. */
const PARTITION_NAME = /^[A-Za-z0-9_-]{1,36}$/;
const TYPE_NAMES: ReadonlyMap<number, OperationType> = new Map(
  Object.entries(OPERATION_TYPES).map(([name, number]) => [number, name as OperationType]),
);

/** How many extents and operations are still allowed, over the whole manifest. */
interface Budget {
  operations: number;
  extents: number;
}

/**
 * Reads a manifest whose metadata signature was checked, and holds it to every rule of rules.ts. Byte fields are views
 * of `bytes`. Throws PayloadError.
 */
export function decodeManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new PayloadError(
      'bad-manifest',
      `manifest of ${bytes.length} bytes, at most ${MAX_MANIFEST_BYTES}`,
    );
  const message = DELTA_ARCHIVE_MANIFEST.decode(bytes);
  const blockBytes = message.blockBytes ?? BLOCK_BYTES;
  if (blockBytes !== BLOCK_BYTES)
    throw new PayloadError('unsupported', `blocks of ${blockBytes} bytes, expected ${BLOCK_BYTES}`);
  if (message.partialUpdate === true)
    throw new PayloadError('unsupported', 'a partial update, which changes only some of the partitions');
  const {signaturesOffset, signaturesBytes, partitions, maxTimestamp} = message;
  if (signaturesOffset === undefined || signaturesBytes === undefined)
    throw new PayloadError('bad-signature', 'the payload is not signed: it names no place of its signatures');
  if (partitions.length > MAX_PARTITIONS)
    throw new PayloadError('bad-manifest', `${partitions.length} partitions, at most ${MAX_PARTITIONS}`);
  const budget = {operations: MAX_OPERATIONS, extents: MAX_EXTENTS};
  const manifest: Manifest = {
    minorVersion: message.minorVersion ?? DEFAULT_MINOR_VERSION,
    signaturesOffset,
    signaturesBytes,
    maxTimestamp: maxTimestamp ?? null,
    partitions: partitions.map((each) => decodePartition(each, budget)),
  };
  checkManifest(manifest);
  return manifest;
}

/** The same bytes for the same manifest. Checks nothing: decodeManifest does. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return DELTA_ARCHIVE_MANIFEST.encode({
    blockBytes: BLOCK_BYTES,
    signaturesOffset: manifest.signaturesOffset,
    signaturesBytes: manifest.signaturesBytes,
    minorVersion: manifest.minorVersion,
    partitions: manifest.partitions.map(encodePartition),
    maxTimestamp: manifest.maxTimestamp ?? undefined,
  });
}

function decodePartition(bytes: Uint8Array, budget: Budget): PartitionUpdate {
  const message = PARTITION_UPDATE.decode(bytes);
  const name = message.name ?? '';
  if (!PARTITION_NAME.test(name))
    throw new PayloadError('bad-manifest', `${JSON.stringify(name.slice(0, 100))} is no name of a partition`);
  if (message.runPostinstall === true)
    throw new PayloadError('unsupported', `${name}: a program is to run after the update`);
  const {operations, oldInfo, newInfo, version} = message;
  if (newInfo === undefined) throw new PayloadError('bad-manifest', `${name}: new_partition_info is missing`);
  budget.operations -= operations.length;
  if (budget.operations < 0)
    throw new PayloadError('bad-manifest', `${name}: more than ${MAX_OPERATIONS} operations`);
  if (version !== undefined && version.length > MAX_VERSION_BYTES)
    throw new PayloadError('bad-manifest', `${name}: version of ${version.length} characters`);
  return {
    name,
    oldInfo: oldInfo === undefined ? null : decodeInfo(oldInfo, `${name}: old_partition_info`),
    newInfo: decodeInfo(newInfo, `${name}: new_partition_info`),
    operations: operations.map((each, index) => decodeOperation(each, budget, `${name}, operation ${index}`)),
    hashTree: decodeHashTree(message, name),
    version: version ?? null,
  };
}

function encodePartition(partition: PartitionUpdate): Uint8Array {
  const {hashTree: tree} = partition;
  return PARTITION_UPDATE.encode({
    name: partition.name,
    oldInfo: partition.oldInfo === null ? undefined : PARTITION_INFO.encode(partition.oldInfo),
    newInfo: PARTITION_INFO.encode(partition.newInfo),
    operations: partition.operations.map(encodeOperation),
    hashTreeData: tree === null ? undefined : encodeExtent(tree.data),
    hashTree: tree === null ? undefined : encodeExtent(tree.tree),
    hashTreeAlgorithm: tree?.algorithm,
    hashTreeSalt: tree?.salt,
    version: partition.version ?? undefined,
  });
}

function decodeInfo(message: Uint8Array, what: string): PartitionInfo {
  const {bytes, sha256} = PARTITION_INFO.decode(message);
  if (bytes === undefined) throw new PayloadError('bad-manifest', `${what}: size is missing`);
  if (sha256 === undefined) throw new PayloadError('bad-manifest', `${what}: hash is missing`);
  return {bytes, sha256: requireSha256(sha256, what)};
}

function decodeOperation(bytes: Uint8Array, budget: Budget, what: string): Operation {
  const message = INSTALL_OPERATION.decode(bytes);
  if (message.type === undefined) throw new PayloadError('bad-manifest', `${what}: type is missing`);
  const type = TYPE_NAMES.get(message.type);
  if (type === undefined)
    throw new PayloadError('unsupported', `${what}: operation type ${message.type} is not one that we know`);
  const {srcExtents, dstExtents, srcBytes, dstBytes, srcSha256} = message;
  budget.extents -= srcExtents.length + dstExtents.length;
  if (budget.extents < 0) throw new PayloadError('bad-manifest', `${what}: more than ${MAX_EXTENTS} extents`);
  const [src, dst] = [srcExtents, dstExtents].map((list) => list.map((each) => decodeExtent(each, what)));
  requireLength(srcBytes, src ?? [], `${what}: src_length`);
  requireLength(dstBytes, dst ?? [], `${what}: dst_length`);
  return {
    type,
    data: decodeData(message, what),
    srcExtents: src ?? [],
    srcSha256: srcSha256 === undefined ? null : requireSha256(srcSha256, `${what}: src_sha256_hash`),
    dstExtents: dst ?? [],
  };
}

function encodeOperation(operation: Operation): Uint8Array {
  return INSTALL_OPERATION.encode({
    type: OPERATION_TYPES[operation.type],
    dataOffset: operation.data?.offset,
    dataBytes: operation.data?.bytes,
    srcExtents: operation.srcExtents.map(encodeExtent),
    dstExtents: operation.dstExtents.map(encodeExtent),
    dataSha256: operation.data?.sha256,
    srcSha256: operation.srcSha256 ?? undefined,
  });
}

function decodeData(
  {dataOffset, dataBytes, dataSha256}: Partial<ReturnType<typeof INSTALL_OPERATION.decode>>,
  what: string,
): Operation['data'] {
  if (dataOffset === undefined && dataBytes === undefined && dataSha256 === undefined) return null;
  if (dataOffset === undefined || dataBytes === undefined || dataSha256 === undefined)
    throw new PayloadError(
      'bad-operation',
      `${what}: data_offset, data_length and data_sha256_hash go together`,
    );
  return {
    offset: dataOffset,
    bytes: dataBytes,
    sha256: requireSha256(dataSha256, `${what}: data_sha256_hash`),
  };
}

function decodeHashTree(
  {hashTreeData, hashTree, hashTreeAlgorithm, hashTreeSalt}: ReturnType<typeof PARTITION_UPDATE.decode>,
  name: string,
): HashTree | null {
  const parts = [hashTreeData, hashTree, hashTreeAlgorithm, hashTreeSalt];
  if (parts.every((part) => part === undefined)) return null;
  if (hashTreeData === undefined || hashTree === undefined || hashTreeSalt === undefined)
    throw new PayloadError('bad-manifest', `${name}: only a part of the hash_tree fields is there`);
  if (hashTreeAlgorithm !== 'sha256')
    throw new PayloadError(
      'unsupported',
      `${name}: hash tree by ${JSON.stringify(hashTreeAlgorithm?.slice(0, 40))}`,
    );
  const what = `${name}: hash tree`;
  return {
    data: decodeExtent(hashTreeData, what),
    tree: decodeExtent(hashTree, what),
    algorithm: hashTreeAlgorithm,
    salt: hashTreeSalt,
  };
}

function decodeExtent(bytes: Uint8Array, what: string): Extent {
  const {start, blocks} = EXTENT.decode(bytes);
  if (start === undefined || blocks === undefined)
    throw new PayloadError('bad-manifest', `${what}: an extent without start_block or num_blocks`);
  return {startBlock: start, blocks};
}

function encodeExtent({startBlock, blocks}: Extent): Uint8Array {
  return EXTENT.encode({start: startBlock, blocks});
}

function requireSha256(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length === SHA256_BYTES) return bytes;
  throw new PayloadError('bad-manifest', `${what} has ${bytes.length} bytes, expected ${SHA256_BYTES}`);
}

/** The lengths repeat what the extents say; older tools write them. */
function requireLength(bytes: number | undefined, extents: readonly Extent[], what: string): void {
  if (bytes === undefined) return;
  const expected = extents.reduce((sum, {blocks}) => sum + blocks, 0) * BLOCK_BYTES;
  if (bytes !== expected)
    throw new PayloadError('bad-operation', `${what} is ${bytes}, the extents have ${expected} bytes`);
}

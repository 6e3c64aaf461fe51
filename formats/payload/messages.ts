/**
 * The messages of a payload by field number, as the published format has them (package chromeos_update_engine).
 *
 * `refused` are those that ask a host for more than Caisson's does, or that belong to major version 1; `ignored` are
 * hints, which change nothing of what the partitions hold in the end.
 */
import {defineMessage} from './protobuf.ts';

export const EXTENT = defineMessage('Extent', {start: [1, 'uint'], blocks: [2, 'uint']});

export const SIGNATURES = defineMessage('Signatures', {signatures: [1, 'messages']});

export const SIGNATURE = defineMessage('Signature', {
  /** Deprecated; old tools count with it. */
  version: [1, 'refused'],
  data: [2, 'bytes'],
  unpaddedBytes: [3, 'fixed32'],
});

export const PARTITION_INFO = defineMessage('PartitionInfo', {bytes: [1, 'uint'], sha256: [2, 'bytes']});

export const INSTALL_OPERATION = defineMessage('InstallOperation', {
  type: [1, 'uint'],
  dataOffset: [2, 'uint'],
  dataBytes: [3, 'uint'],
  srcExtents: [4, 'messages'],
  srcBytes: [5, 'uint'],
  dstExtents: [6, 'messages'],
  dstBytes: [7, 'uint'],
  dataSha256: [8, 'bytes'],
  srcSha256: [9, 'bytes'],
});

export const PARTITION_UPDATE = defineMessage('PartitionUpdate', {
  name: [1, 'text'],
  runPostinstall: [2, 'bool'],
  postinstallPath: [3, 'refused'],
  fileSystemType: [4, 'ignored'],
  /** Nobody checks it: the payload signature covers the hash of the partition. */
  newPartitionSignature: [5, 'ignored'],
  oldInfo: [6, 'bytes'],
  newInfo: [7, 'bytes'],
  operations: [8, 'messages'],
  postinstallOptional: [9, 'ignored'],
  hashTreeData: [10, 'bytes'],
  hashTree: [11, 'bytes'],
  hashTreeAlgorithm: [12, 'text'],
  hashTreeSalt: [13, 'bytes'],
  /** Error correction that a host would have to compute. */
  fecData: [14, 'refused'],
  fec: [15, 'refused'],
  fecRoots: [16, 'refused'],
  version: [17, 'text'],
  mergeOperations: [18, 'ignored'],
  estimatedSnapshotBytes: [19, 'ignored'],
  estimatedSnapshotOperations: [20, 'ignored'],
});

export const DELTA_ARCHIVE_MANIFEST = defineMessage('DeltaArchiveManifest', {
  /** 1, 2 and 6 to 11 are major version 1: operations outside of partitions. */
  installOperations: [1, 'refused'],
  kernelOperations: [2, 'refused'],
  blockBytes: [3, 'uint'],
  signaturesOffset: [4, 'uint'],
  signaturesBytes: [5, 'uint'],
  oldKernel: [6, 'refused'],
  newKernel: [7, 'refused'],
  oldRootfs: [8, 'refused'],
  newRootfs: [9, 'refused'],
  oldImage: [10, 'refused'],
  newImage: [11, 'refused'],
  minorVersion: [12, 'uint'],
  partitions: [13, 'messages'],
  maxTimestamp: [14, 'uint'],
  /** Groups of logical partitions; ours lie in the GPT. */
  dynamicPartitions: [15, 'refused'],
  partialUpdate: [16, 'bool'],
  apexInfo: [17, 'refused'],
  securityPatchLevel: [18, 'ignored'],
});

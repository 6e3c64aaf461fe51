/**
 * The update_engine payload, major version 2, as values. Names are those of the published format (package
 * chromeos_update_engine); 64-bit numbers are safe integers here, because a decoder refuses larger ones.
 */
import {CodedError} from '../errors.ts';

export type PayloadErrorCode =
  /** Not a payload, or not one of this version. */
  | 'bad-header'
  | 'bad-manifest'
  /** A rule of the format is broken: extents, order of blobs, sizes, hashes that are missing. */
  | 'bad-operation'
  | 'unsupported'
  | 'bad-signature'
  /** No trusted key made any of the signatures. */
  | 'untrusted'
  /** A blob, a source or a whole partition does not hash to what the manifest says. */
  | 'wrong-hash'
  | 'bad-patch'
  | 'bad-data'
  | 'truncated';

export class PayloadError extends CodedError<PayloadErrorCode> {}

/** Every extent counts in blocks of this size; other block sizes are refused. */
export const BLOCK_BYTES = 4096;

/** Field numbers of InstallOperation.Type. */
export const OPERATION_TYPES = {
  REPLACE: 0,
  REPLACE_BZ: 1,
  SOURCE_COPY: 4,
  SOURCE_BSDIFF: 5,
  ZERO: 6,
  DISCARD: 7,
  REPLACE_XZ: 8,
  BROTLI_BSDIFF: 10,
} as const;

export type OperationType = keyof typeof OPERATION_TYPES;

export interface Extent {
  startBlock: number;
  blocks: number;
}

export interface Operation {
  type: OperationType;
  /** Of the blob, in bytes from the first blob on; null when the operation has none. */
  data: {offset: number; bytes: number; sha256: Uint8Array} | null;
  srcExtents: readonly Extent[];
  /** Over the bytes of the source extents; null when the manifest has none. */
  srcSha256: Uint8Array | null;
  dstExtents: readonly Extent[];
}

export interface PartitionInfo {
  bytes: number;
  sha256: Uint8Array;
}

/** The host computes the dm-verity tree of `data` and writes it to `tree`, whose blocks no operation writes. */
export interface HashTree {
  data: Extent;
  tree: Extent;
  algorithm: 'sha256';
  salt: Uint8Array;
}

export interface PartitionUpdate {
  name: string;
  /** What the old partition must be; only deltas have it. */
  oldInfo: PartitionInfo | null;
  newInfo: PartitionInfo;
  operations: readonly Operation[];
  hashTree: HashTree | null;
  /** Ours: PRODUCT/ARCHITECTURE/VERSION, see product.ts. */
  version: string | null;
}

export interface Manifest {
  /** 0 for a full payload. */
  minorVersion: number;
  /** From the first blob on. */
  signaturesOffset: number;
  signaturesBytes: number;
  /** Seconds since 1970; a host whose own system is newer refuses the payload. */
  maxTimestamp: number | null;
  partitions: readonly PartitionUpdate[];
}

/** The partitions of a Caisson payload: /usr with its verity tree, and the UKI. */
export const PARTITION_NAMES = ['usr', 'kernel'] as const;

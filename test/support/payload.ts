/** Small signed payloads of any operations, as bytes: what the maker would not make, and what is broken on purpose. */
import {type KeyObject, createHash, generateKeyPairSync} from 'node:crypto';
import {encodePayloadHeader} from '../../formats/payload/header.ts';
import {encodeManifest} from '../../formats/payload/manifest.ts';
import {encodeSignatures, signDigest, signaturesBytesOf} from '../../formats/payload/signatures.ts';
import type {Extent, HashTree, Manifest, OperationType} from '../../formats/payload/types.ts';

/** One for all tests: making a key takes longer than using it. */
export const TEST_KEY = generateKeyPairSync('rsa', {modulusLength: 2048});
export const OTHER_KEY = generateKeyPairSync('rsa', {modulusLength: 2048});

export interface OperationSpec {
  type: OperationType;
  blob?: Uint8Array;
  src?: readonly Extent[];
  /** What the source extents hold. */
  srcBytes?: Uint8Array;
  dst: readonly Extent[];
}

export interface PartitionSpec {
  name: string;
  old?: Uint8Array;
  /** What the partition is to be. */
  content: Uint8Array;
  operations: readonly OperationSpec[];
  hashTree?: HashTree;
  version?: string;
}

export interface BuiltPayload {
  bytes: Buffer;
  manifest: Manifest;
  blobsOffset: number;
  sha256: Uint8Array;
}

export interface BuildOptions {
  minorVersion?: number;
  maxTimestamp?: number | null;
  keys?: readonly KeyObject[];
  /** Changes the manifest before it is signed. */
  change?: (manifest: Manifest) => Manifest;
}

export function sha256Of(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

/** Signed by TEST_KEY unless told otherwise. */
export function buildPayload(partitions: readonly PartitionSpec[], options: BuildOptions = {}): BuiltPayload {
  const {keys = [TEST_KEY.privateKey], change = (manifest) => manifest} = options;
  const blobs: Uint8Array[] = [];
  let offset = 0;
  const planned = partitions.map((partition) => ({
    name: partition.name,
    oldInfo:
      partition.old === undefined ? null : {bytes: partition.old.length, sha256: sha256Of(partition.old)},
    newInfo: {bytes: partition.content.length, sha256: sha256Of(partition.content)},
    operations: partition.operations.map(({type, blob, src, srcBytes, dst}) => {
      const data = blob === undefined ? null : {offset, bytes: blob.length, sha256: sha256Of(blob)};
      if (blob !== undefined) {
        blobs.push(blob);
        offset += blob.length;
      }
      const srcSha256 = srcBytes === undefined ? null : sha256Of(srcBytes);
      return {type, data, srcExtents: src ?? [], srcSha256, dstExtents: dst};
    }),
    hashTree: partition.hashTree ?? null,
    version: partition.version ?? null,
  }));
  const signaturesBytes = signaturesBytesOf(
    keys.map((key) => (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8),
  );
  const manifest = change({
    minorVersion: options.minorVersion ?? (partitions.some(({old}) => old !== undefined) ? 7 : 0),
    signaturesOffset: offset,
    signaturesBytes,
    maxTimestamp: options.maxTimestamp ?? null,
    partitions: planned,
  });
  const body = encodeManifest(manifest);
  const metadata = Buffer.concat([
    encodePayloadHeader({manifestBytes: body.length, metadataSignatureBytes: signaturesBytes}),
    body,
  ]);
  const sign = (digest: Uint8Array): Uint8Array =>
    encodeSignatures(keys.map((key) => signDigest(digest, key)));
  const all = Buffer.concat(blobs);
  const bytes = Buffer.concat([
    metadata,
    sign(sha256Of(metadata)),
    all,
    sign(sha256Of(Buffer.concat([metadata, all]))),
  ]);
  return {bytes, manifest, blobsOffset: metadata.length + signaturesBytes, sha256: sha256Of(bytes)};
}

/** What is in a payload, without unpacking it: for `caisson payload inspect`. */
import type {KeyObject} from 'node:crypto';
import {keyFingerprint} from '../formats/payload/keys.ts';
import {isSignedBy} from '../formats/payload/signatures.ts';
import {type PartitionSummary, isFullPayload, summarizePartition} from '../formats/payload/summary.ts';
import {withByteSource} from '../platform/files.ts';
import {payloadDigest, readMetadata, readPayloadSignatures} from './metadata.ts';
import type {Work} from './assemble.ts';

/** A trusted key and the name of its file. */
export interface NamedKey {
  name: string;
  key: KeyObject;
}

export interface SignatureFacts {
  bytes: number;
  /** The key among those given that made it. */
  by: {name: string; fingerprint: string} | null;
}

export interface PayloadFacts {
  bytes: number;
  majorVersion: 2;
  minorVersion: number;
  isFull: boolean;
  /** Seconds since 1970. */
  maxTimestamp: number | null;
  manifestBytes: number;
  metadataSha256: string;
  metadataSignatures: readonly SignatureFacts[];
  payloadSignatures: readonly SignatureFacts[];
  /** Null when no key was given: then nothing was checked. */
  isTrusted: boolean | null;
  blobBytes: number;
  partitions: readonly PartitionSummary[];
}

/**
 * Reads the manifest even when nobody trusted signed it, and says so. With keys the whole file is read, because the
 * payload signature covers it. Throws PayloadError for what is not a payload.
 */
export async function inspectPayload(
  path: string,
  keys: readonly NamedKey[],
  work: Work,
): Promise<PayloadFacts> {
  return withByteSource(path, async (source) => {
    const metadata = await readMetadata(source, null);
    const {header, manifest} = metadata;
    const signatures = await readPayloadSignatures(source, metadata);
    const digest = keys.length === 0 ? new Uint8Array() : await payloadDigest(source, metadata, work);
    const metadataSignatures = metadata.signatures.map((each) => factsOf(each, metadata.sha256, keys));
    const payloadSignatures = signatures.map((each) => factsOf(each, digest, keys));
    const isKnown = (list: readonly SignatureFacts[]): boolean => list.some(({by}) => by !== null);
    return {
      bytes: source.bytes,
      majorVersion: 2,
      minorVersion: manifest.minorVersion,
      isFull: isFullPayload(manifest),
      maxTimestamp: manifest.maxTimestamp,
      manifestBytes: header.manifestBytes,
      metadataSha256: Buffer.from(metadata.sha256).toString('hex'),
      metadataSignatures,
      payloadSignatures,
      isTrusted: keys.length === 0 ? null : isKnown(metadataSignatures) && isKnown(payloadSignatures),
      blobBytes: manifest.signaturesOffset,
      partitions: manifest.partitions.map(summarizePartition),
    };
  });
}

function factsOf(signature: Uint8Array, digest: Uint8Array, keys: readonly NamedKey[]): SignatureFacts {
  const found = keys.find(({key}) => isSignedBy(digest, signature, key));
  return {
    bytes: signature.length,
    by: found === undefined ? null : {name: found.name, fingerprint: keyFingerprint(found.key)},
  };
}

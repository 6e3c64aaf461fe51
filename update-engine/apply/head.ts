/** The head of a payload from a stream: nothing of the manifest is looked at before its signature was found good. */
import {type KeyObject, createHash} from 'node:crypto';
import {
  PAYLOAD_HEADER_BYTES,
  type PayloadLayout,
  decodePayloadHeader,
  payloadLayout,
} from '../../formats/payload/header.ts';
import {decodeManifest} from '../../formats/payload/manifest.ts';
import {decodeSignatures, verifyDigest} from '../../formats/payload/signatures.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import type {ByteReader} from './byte-reader.ts';

export interface PayloadHead {
  manifest: Manifest;
  layout: PayloadLayout;
  /** Header and manifest, as they are in the file; what the metadata signature covers. */
  metadata: Uint8Array;
  metadataSha256: Uint8Array;
  /** The message between manifest and blobs. */
  metadataSignatures: Uint8Array;
  /** Hex. */
  metadataSignaturesSha256: string;
}

/** Reads up to the first blob. Throws PayloadError. */
export async function readHead(reader: ByteReader, keys: readonly KeyObject[]): Promise<PayloadHead> {
  if (keys.length === 0)
    throw new PayloadError('untrusted', 'the payload cannot be trusted: no key is trusted', {
      hint: 'hosts trust the keys that their own release was built with: caisson build --update-key',
    });
  const start = await reader.read(PAYLOAD_HEADER_BYTES);
  const header = decodePayloadHeader(start);
  const body = await reader.read(header.manifestBytes);
  const metadata = Buffer.concat([start, body]);
  const metadataSha256 = createHash('sha256').update(metadata).digest();
  const metadataSignatures = await reader.read(header.metadataSignatureBytes);
  if (metadataSignatures.length === 0)
    throw new PayloadError('untrusted', 'the payload cannot be trusted: nobody signed its metadata');
  verifyDigest(metadataSha256, decodeSignatures(metadataSignatures), keys);
  const manifest = decodeManifest(metadata.subarray(PAYLOAD_HEADER_BYTES));
  return {
    manifest,
    layout: payloadLayout(header, manifest),
    metadata,
    metadataSha256,
    metadataSignatures,
    metadataSignaturesSha256: createHash('sha256').update(metadataSignatures).digest('hex'),
  };
}

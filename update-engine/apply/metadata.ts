/** The head of a payload: nothing in it is parsed before a trusted key is known to have signed it. */
import {createHash, type KeyObject} from 'node:crypto';
import {
  PAYLOAD_HEADER_BYTES,
  type PayloadLayout,
  decodePayloadHeader,
  payloadLayout,
} from '../../formats/payload/header.ts';
import {decodeManifest} from '../../formats/payload/manifest.ts';
import {decodeSignatures, verifyDigest} from '../../formats/payload/signatures.ts';
import {type Manifest, PayloadError} from '../../formats/payload/types.ts';
import type {ByteQueue} from './byte-queue.ts';

export interface TrustedMetadata {
  manifest: Manifest;
  layout: PayloadLayout;
  /** Header and manifest, what the metadata signature covers. */
  signed: readonly Uint8Array[];
  /** The metadata signature as it came. */
  signature: Uint8Array;
  /** Of `signed`, hex: the name of this payload among all others. */
  sha256: string;
}

/** Throws PayloadError, and whatever the stream throws. */
export async function readTrustedMetadata(
  queue: ByteQueue,
  keys: readonly KeyObject[],
): Promise<TrustedMetadata> {
  const head = await queue.take(PAYLOAD_HEADER_BYTES, 'its header');
  const header = decodePayloadHeader(head);
  if (header.metadataSignatureBytes === 0)
    throw new PayloadError('untrusted', 'the payload cannot be trusted: its metadata is not signed');
  const encoded = await queue.take(header.manifestBytes, 'its manifest');
  const signature = await queue.take(header.metadataSignatureBytes, 'its metadata signature');
  const digest = createHash('sha256').update(head).update(encoded).digest();
  verifyDigest(digest, decodeSignatures(signature), keys);
  const manifest = decodeManifest(encoded);
  return {
    manifest,
    layout: payloadLayout(header, manifest),
    signed: [head, encoded],
    signature,
    sha256: digest.toString('hex'),
  };
}

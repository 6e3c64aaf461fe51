/**
 * The first 24 bytes of a payload, and where everything lies that follows.
 *
 * | offset | size | content |
 * | --- | --- | --- |
 * | 0 | 4 | `CrAU` |
 * | 4 | 8 | major version, big-endian: 2 |
 * | 12 | 8 | manifest size M, big-endian |
 * | 20 | 4 | metadata signature size S, big-endian |
 * | 24 | M | manifest |
 * | 24+M | S | metadata signatures |
 * | 24+M+S | | blobs, then the payload signatures |
 */
import {MAX_MANIFEST_BYTES, MAX_SIGNATURES_BYTES} from './limits.ts';
import {type Manifest, PayloadError} from './types.ts';

export const PAYLOAD_HEADER_BYTES = 24;
const MAGIC = 'CrAU';
const MAJOR_VERSION = 2n;

export interface PayloadHeader {
  manifestBytes: number;
  /** 0 when nobody signed the metadata; such a payload can be looked at, not trusted. */
  metadataSignatureBytes: number;
}

/** Offsets in bytes from the start of the file. */
export interface PayloadLayout {
  /** Header and manifest: what the metadata signature covers. */
  metadataBytes: number;
  blobsOffset: number;
  /** Of the payload signatures. */
  signaturesOffset: number;
  totalBytes: number;
}

/** Takes the header from the start of `bytes`. Throws PayloadError 'truncated', 'bad-header' or 'unsupported'. */
export function decodePayloadHeader(bytes: Uint8Array): PayloadHeader {
  if (bytes.length < PAYLOAD_HEADER_BYTES)
    throw new PayloadError(
      'truncated',
      `a payload begins with ${PAYLOAD_HEADER_BYTES} bytes, here are ${bytes.length}`,
    );
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.toString('latin1', 0, 4);
  if (magic !== MAGIC)
    throw new PayloadError('bad-header', `it begins with ${JSON.stringify(magic)}, a payload with ${MAGIC}`);
  const version = view.readBigUInt64BE(4);
  if (version !== MAJOR_VERSION)
    throw new PayloadError('unsupported', `payload of major version ${version}, expected ${MAJOR_VERSION}`);
  const manifestBytes = view.readBigUInt64BE(12);
  if (manifestBytes === 0n || manifestBytes > BigInt(MAX_MANIFEST_BYTES))
    throw new PayloadError(
      'bad-header',
      `manifest of ${manifestBytes} bytes, expected 1 to ${MAX_MANIFEST_BYTES}`,
    );
  const metadataSignatureBytes = view.readUInt32BE(20);
  if (metadataSignatureBytes > MAX_SIGNATURES_BYTES)
    throw new PayloadError(
      'bad-header',
      `metadata signatures of ${metadataSignatureBytes} bytes, at most ${MAX_SIGNATURES_BYTES}`,
    );
  return {manifestBytes: Number(manifestBytes), metadataSignatureBytes};
}

export function encodePayloadHeader({manifestBytes, metadataSignatureBytes}: PayloadHeader): Uint8Array {
  const bytes = Buffer.alloc(PAYLOAD_HEADER_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeBigUInt64BE(MAJOR_VERSION, 4);
  bytes.writeBigUInt64BE(BigInt(manifestBytes), 12);
  bytes.writeUInt32BE(metadataSignatureBytes, 20);
  return Uint8Array.from(bytes);
}

/** What the payload signature covers is [0, metadataBytes) and then [blobsOffset, signaturesOffset). */
export function payloadLayout(
  header: PayloadHeader,
  {signaturesOffset, signaturesBytes}: Pick<Manifest, 'signaturesOffset' | 'signaturesBytes'>,
): PayloadLayout {
  const metadataBytes = PAYLOAD_HEADER_BYTES + header.manifestBytes;
  const blobsOffset = metadataBytes + header.metadataSignatureBytes;
  return {
    metadataBytes,
    blobsOffset,
    signaturesOffset: blobsOffset + signaturesOffset,
    totalBytes: blobsOffset + signaturesOffset + signaturesBytes,
  };
}

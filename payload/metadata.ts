/** The head of a payload, and what its signatures say of the rest. */
import {type KeyObject, createHash} from 'node:crypto';
import {type ByteSource, readExactly} from '../formats/byte-source.ts';
import {
  PAYLOAD_HEADER_BYTES,
  type PayloadHeader,
  type PayloadLayout,
  decodePayloadHeader,
  payloadLayout,
} from '../formats/payload/header.ts';
import {decodeManifest} from '../formats/payload/manifest.ts';
import {decodeSignatures, verifyDigest} from '../formats/payload/signatures.ts';
import {type Manifest, PayloadError} from '../formats/payload/types.ts';

const READ_BYTES = 1 << 20;

export interface Metadata {
  header: PayloadHeader;
  manifest: Manifest;
  layout: PayloadLayout;
  /** Header and manifest as they are in the file. */
  bytes: Uint8Array;
  /** What a metadata signature signs. */
  sha256: Uint8Array;
  signatures: readonly Uint8Array[];
}

/**
 * Reads header, manifest and metadata signatures. With keys, the manifest is not looked at before each of them is seen to
 * have signed it; `null` is for looking into a payload, or signing one. Throws PayloadError.
 */
export async function readMetadata(source: ByteSource, keys: readonly KeyObject[] | null): Promise<Metadata> {
  const header = decodePayloadHeader(await source.readAt(0, PAYLOAD_HEADER_BYTES));
  const metadataBytes = PAYLOAD_HEADER_BYTES + header.manifestBytes;
  const blobsOffset = metadataBytes + header.metadataSignatureBytes;
  if (blobsOffset > source.bytes)
    throw new PayloadError('truncated', `${source.bytes} bytes, the blobs begin at ${blobsOffset}`);
  const bytes = await readExactly(source, 0, metadataBytes, 'manifest');
  const sha256 = createHash('sha256').update(bytes).digest();
  const message = await readExactly(source, metadataBytes, header.metadataSignatureBytes, 'signatures');
  const signatures = message.length === 0 && keys === null ? [] : decodeSignatures(message);
  requireSignedByAll(sha256, signatures, keys ?? []);
  const manifest = decodeManifest(bytes.subarray(PAYLOAD_HEADER_BYTES));
  const layout = payloadLayout(header, manifest);
  if (layout.totalBytes !== source.bytes)
    throw new PayloadError(
      source.bytes < layout.totalBytes ? 'truncated' : 'bad-data',
      `${source.bytes} bytes, the manifest speaks of ${layout.totalBytes}`,
    );
  return {header, manifest, layout, bytes, sha256, signatures};
}

/** What a payload signature signs: header, manifest and blobs, without the metadata signatures between them. */
export async function payloadDigest(
  source: ByteSource,
  {bytes, layout}: Pick<Metadata, 'bytes' | 'layout'>,
  {signal, onBytes}: {signal: AbortSignal; onBytes: (count: number) => void},
): Promise<Uint8Array> {
  const hash = createHash('sha256').update(bytes);
  for (let at = layout.blobsOffset; at < layout.signaturesOffset; at += READ_BYTES) {
    signal.throwIfAborted();
    const piece = await readExactly(source, at, Math.min(READ_BYTES, layout.signaturesOffset - at), 'blobs');
    hash.update(piece);
    onBytes(piece.length);
  }
  return hash.digest();
}

/**
 * Reads the whole payload as a host would before it trusts it, except for unpacking: each key must have made both a
 * metadata and a payload signature, and every blob must hash to what the manifest says. Throws PayloadError.
 */
export async function checkPayload(
  source: ByteSource,
  keys: readonly KeyObject[],
  options: {signal: AbortSignal; onBytes: (count: number) => void},
): Promise<Metadata> {
  const metadata = await readMetadata(source, keys);
  await checkBlobs(source, metadata, {...options, onBytes: () => undefined});
  const digest = await payloadDigest(source, metadata, options);
  requireSignedByAll(digest, await readPayloadSignatures(source, metadata), keys);
  return metadata;
}

/** Every blob must hash to what the manifest says. Throws PayloadError 'wrong-hash'. */
export async function checkBlobs(
  source: ByteSource,
  {layout, manifest}: Pick<Metadata, 'layout' | 'manifest'>,
  {signal, onBytes}: {signal: AbortSignal; onBytes: (count: number) => void},
): Promise<void> {
  for (const {name, operations} of manifest.partitions) {
    for (const [index, {data}] of operations.entries()) {
      if (data === null) continue;
      signal.throwIfAborted();
      const what = `${name}, operation ${index}`;
      const bytes = await readExactly(source, layout.blobsOffset + data.offset, data.bytes, what);
      if (!createHash('sha256').update(bytes).digest().equals(data.sha256))
        throw new PayloadError('wrong-hash', `${what}: its blob is not what the manifest says`);
      onBytes(bytes.length);
    }
  }
}

/** The signatures at the end of the file. */
export async function readPayloadSignatures(
  source: ByteSource,
  {layout, manifest}: Pick<Metadata, 'layout' | 'manifest'>,
): Promise<Uint8Array[]> {
  const message = await readExactly(source, layout.signaturesOffset, manifest.signaturesBytes, 'signatures');
  return decodeSignatures(message);
}

function requireSignedByAll(
  sha256: Uint8Array,
  signatures: readonly Uint8Array[],
  keys: readonly KeyObject[],
): void {
  for (const key of keys) verifyDigest(sha256, signatures, [key]);
}

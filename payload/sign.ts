/** Signing a payload that is there already: by keys at hand, with other keys than before, or by someone elsewhere. */
import {windowOf} from '../formats/byte-source.ts';
import {withByteSource} from '../platform/files.ts';
import {type Work, type WrittenPayload, metadataFor, writePayload} from './assemble.ts';
import {payloadDigest, readMetadata} from './metadata.ts';
import {type Signing, signatureSizesOf} from './signing.ts';

/** SHA-256 of what is to be signed. */
export interface Digests {
  metadata: Uint8Array;
  payload: Uint8Array;
}

/** Throws PayloadError when the file is no payload. Says nothing of its signatures. */
export async function digestPayload(path: string, work: Work): Promise<Digests> {
  return withByteSource(path, async (source) => {
    const metadata = await readMetadata(source, null);
    return {metadata: metadata.sha256, payload: await payloadDigest(source, metadata, work)};
  });
}

/**
 * Writes `from` with these signatures, and no others, to `to`, which may be the same path. Signatures from elsewhere must
 * have the sizes that the file was made for. Throws MakePayloadError, PayloadError; then `to` is as it was.
 */
export async function signPayload(
  from: string,
  to: string,
  signing: Signing,
  work: Work,
): Promise<WrittenPayload> {
  return withByteSource(from, async (source) => {
    const found = await readMetadata(source, null);
    const {layout, header, manifest} = found;
    const metadata = metadataFor(found, header.metadataSignatureBytes, signatureSizesOf(signing));
    const blobs = windowOf(source, layout.blobsOffset, manifest.signaturesOffset);
    return writePayload(to, {metadata, blobs, signing}, work);
  });
}

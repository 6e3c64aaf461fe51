/**
 * Whether hosts that trust these keys would take a payload, found out before they are offered it: signatures, the hash of
 * each blob, and the sizes. It is not unpacked, which takes room and minutes and is what `caisson payload verify` is for:
 * whoever has a key has signed what comes out.
 */
import type {ByteSource} from '../formats/byte-source.ts';
import {verifyDigest} from '../formats/payload/signatures.ts';
import type {Work} from './assemble.ts';
import type {NamedKey} from './inspection.ts';
import {checkBlobs, payloadDigest, readMetadata, readPayloadSignatures} from './metadata.ts';

/**
 * As on a host, any one of the keys is enough, for the metadata and for the whole. Returns the key that signed the whole;
 * `onBytes` counts each blob twice. Throws PayloadError: 'untrusted' when no key signed it.
 */
export async function vouchForPayload(
  source: ByteSource,
  keys: readonly NamedKey[],
  work: Work,
): Promise<NamedKey> {
  const trusted = keys.map(({key}) => key);
  const metadata = await readMetadata(source, null);
  verifyDigest(metadata.sha256, metadata.signatures, trusted);
  await checkBlobs(source, metadata, work);
  const digest = await payloadDigest(source, metadata, work);
  const signer = verifyDigest(digest, await readPayloadSignatures(source, metadata), trusted);
  const found = keys.find(({key}) => key === signer);
  if (found === undefined) throw new Error('a payload was signed by a key that nobody gave');
  return found;
}

/**
 * Signatures of a payload: RSA PKCS#1 v1.5 over SHA-256. Two of them, in the same message:
 *
 * - the metadata signature covers header and manifest, bytes [0, 24+M), and is checked before the manifest is parsed;
 * - the payload signature covers the same bytes followed by the blobs, [24+M+S, 24+M+S+signatures_offset); the metadata
 *   signature between them is left out.
 *
 * Verification takes the digest rather than the data, because whoever streams a payload has hashed it already, perhaps
 * over several runs. OpenSSL's own verification of a digest is not to be had from Node, so the block that the signer must
 * have padded is built here and compared as a whole; nothing of the signature is parsed. Any one signature by any one
 * trusted key is enough: that is how keys rotate.
 */
import {type KeyObject, constants, privateEncrypt, publicDecrypt, timingSafeEqual} from 'node:crypto';
import {MAX_SIGNATURES, MAX_SIGNATURES_BYTES} from './limits.ts';
import {SIGNATURE, SIGNATURES} from './messages.ts';
import {modulusBytesOf} from './keys.ts';
import {PayloadError} from './types.ts';

const SHA256_BYTES = 32;
/** DER of a DigestInfo up to the digest: SHA-256, RFC 8017 section 9.2, note 1. */
const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** Throws PayloadError 'bad-signature' unless it is one to eight signatures and nothing else. */
export function decodeSignatures(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > MAX_SIGNATURES_BYTES)
    throw new PayloadError(
      'bad-signature',
      `signatures of ${bytes.length} bytes, at most ${MAX_SIGNATURES_BYTES}`,
    );
  const {signatures} = asSignature(() => SIGNATURES.decode(bytes));
  if (signatures.length === 0 || signatures.length > MAX_SIGNATURES)
    throw new PayloadError(
      'bad-signature',
      `${signatures.length} signatures, expected 1 to ${MAX_SIGNATURES}`,
    );
  const canonical: Uint8Array[] = [];
  const found = signatures.map((each) => {
    const {data, unpaddedBytes} = asSignature(() => SIGNATURE.decode(each));
    if (data === undefined || data.length === 0)
      throw new PayloadError('bad-signature', 'a signature without data');
    // Padding is for signatures of varying length, which those of RSA are not.
    if (unpaddedBytes !== undefined && unpaddedBytes !== data.length)
      throw new PayloadError(
        'bad-signature',
        `signature of ${data.length} bytes, ${unpaddedBytes} without padding`,
      );
    canonical.push(SIGNATURE.encode({data, unpaddedBytes}));
    return data;
  });
  // Nothing covers this message itself, so it has one spelling: no one can change a byte of it unseen.
  if (Buffer.compare(SIGNATURES.encode({signatures: canonical}), bytes) !== 0)
    throw new PayloadError('bad-signature', 'the fields of the signatures are not in their order');
  return found;
}

export function encodeSignatures(signatures: readonly Uint8Array[]): Uint8Array {
  return SIGNATURES.encode({
    signatures: signatures.map((data) => SIGNATURE.encode({data, unpaddedBytes: data.length})),
  });
}

/** How many bytes the message will have, which the manifest must say before anything is signed. */
export function signaturesBytesOf(sizes: readonly number[]): number {
  return encodeSignatures(sizes.map((bytes) => new Uint8Array(bytes))).length;
}

/** The signature of a SHA-256 digest by an RSA key; the same bytes every time. */
export function signDigest(sha256: Uint8Array, key: KeyObject): Uint8Array {
  const block = paddedBlock(sha256, modulusBytesOf(key));
  return privateEncrypt({key, padding: constants.RSA_NO_PADDING}, block);
}

/**
 * Returns the key that made one of the signatures of this SHA-256 digest. Throws PayloadError 'untrusted' when none
 * did, or when there is no key at all.
 */
export function verifyDigest(
  sha256: Uint8Array,
  signatures: readonly Uint8Array[],
  keys: readonly KeyObject[],
): KeyObject {
  const found = keys.find((key) => signatures.some((signature) => isSignedBy(sha256, signature, key)));
  if (found !== undefined) return found;
  const reason =
    keys.length === 0
      ? 'no key is trusted'
      : `none of ${signatures.length} signatures is by one of ${keys.length} trusted keys`;
  throw new PayloadError('untrusted', `the payload cannot be trusted: ${reason}`);
}

/** Whether this key made this signature; false for anything that is not a signature of that key's size. */
export function isSignedBy(sha256: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  const bytes = modulusBytesOf(key);
  if (signature.length !== bytes) return false;
  let block: Buffer;
  try {
    block = publicDecrypt({key, padding: constants.RSA_NO_PADDING}, signature);
  } catch {
    // A number above the modulus, which no signer produces.
    return false;
  }
  return timingSafeEqual(block, paddedBlock(sha256, bytes));
}

/** EMSA-PKCS1-v1_5: 00 01 FF ... FF 00, DigestInfo, digest. */
function paddedBlock(sha256: Uint8Array, bytes: number): Buffer {
  if (sha256.length !== SHA256_BYTES)
    throw new PayloadError('bad-signature', `digest of ${sha256.length} bytes, expected ${SHA256_BYTES}`);
  const tail = Buffer.concat([Uint8Array.of(0), DIGEST_INFO, sha256]);
  const block = Buffer.alloc(bytes, 0xff);
  block.set([0, 1]);
  block.set(tail, bytes - tail.length);
  return block;
}

function asSignature<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    throw new PayloadError('bad-signature', error.message, {cause: error});
  }
}

/** Who signs a payload: keys at hand, or nobody yet, or someone elsewhere who sent the signatures. */
import {type KeyObject, createPublicKey} from 'node:crypto';
import {keyFingerprint, modulusBytesOf} from '../formats/payload/keys.ts';
import {isSignedBy, signDigest} from '../formats/payload/signatures.ts';
import {MAX_SIGNATURES} from '../formats/payload/limits.ts';
import {MakePayloadError} from './errors.ts';

/** What is signed: header and manifest, or these and the blobs. */
export type SignedPart = 'metadata' | 'payload';

export type Signing =
  | {kind: 'keys'; privateKeys: readonly KeyObject[]}
  /** Zeros in the place of signatures of these sizes, in bytes. Nobody accepts such a payload. */
  | {kind: 'draft'; sizes: readonly number[]}
  /** The n-th signature of each part is by the n-th key. */
  | {
      kind: 'given';
      signatures: Readonly<Record<SignedPart, readonly Uint8Array[]>>;
      publicKeys: readonly KeyObject[];
    };

/** Bytes of each signature. Throws MakePayloadError 'no-key', PayloadError 'untrusted' for a key that is not RSA. */
export function signatureSizesOf(signing: Signing): readonly number[] {
  const sizes =
    signing.kind === 'draft' ? signing.sizes : publicKeysOf(signing).map((key) => modulusBytesOf(key));
  if (sizes.length === 0 || sizes.length > MAX_SIGNATURES)
    throw new MakePayloadError(
      'no-key',
      `${sizes.length} keys to sign with, expected 1 to ${MAX_SIGNATURES}`,
    );
  return sizes;
}

/** The keys whose owners have to have signed; none for a draft. */
export function publicKeysOf(signing: Signing): readonly KeyObject[] {
  if (signing.kind === 'draft') return [];
  return signing.kind === 'given'
    ? signing.publicKeys
    : signing.privateKeys.map((key) => createPublicKey(key));
}

/** Throws MakePayloadError 'bad-signature' when one that came from elsewhere is not of this digest by its key. */
export function signaturesFor(signing: Signing, part: SignedPart, sha256: Uint8Array): readonly Uint8Array[] {
  if (signing.kind === 'draft') return signing.sizes.map((bytes) => new Uint8Array(bytes));
  if (signing.kind === 'keys') return signing.privateKeys.map((key) => signDigest(sha256, key));
  const signatures = signing.signatures[part];
  if (signatures.length !== signing.publicKeys.length)
    throw new MakePayloadError(
      'bad-signature',
      `${signatures.length} ${part} signatures for ${signing.publicKeys.length} public keys`,
    );
  for (const [index, key] of signing.publicKeys.entries()) {
    if (isSignedBy(sha256, signatures[index] ?? new Uint8Array(), key)) continue;
    throw new MakePayloadError(
      'bad-signature',
      `${part} signature ${index + 1} is not of digest ${Buffer.from(sha256).toString('hex')} by key ${keyFingerprint(key).slice(0, 16)}`,
      {hint: 'caisson payload digest prints what is to be signed: RSA, PKCS#1 v1.5, SHA-256'},
    );
  }
  return signatures;
}

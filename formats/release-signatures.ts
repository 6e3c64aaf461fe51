/**
 * Signatures of a release's manifest, release.json: a text beside it, a line each, of the key's fingerprint and of the
 * signature in base64. RSA PKCS#1 v1.5 over SHA-256 of the file, as payloads have it; `openssl dgst -verify` checks one.
 *
 * Rejected: the message in which payloads carry theirs. Nobody could take a signature out of it without a program of ours.
 */
import {type KeyObject, createHash} from 'node:crypto';
import {keyFingerprint} from './payload/keys.ts';
import {MAX_SIGNATURES} from './payload/limits.ts';
import {isSignedBy, signDigest} from './payload/signatures.ts';
import {ReleaseError} from './release.ts';

export const RELEASE_SIGNATURES_FILE = 'release.json.sig';
/** Eight signatures of 8192 bits. */
export const MAX_RELEASE_SIGNATURES_BYTES = 16 * 1024;

export interface ReleaseSignature {
  /** Of the public key, SHA-256 in hex. */
  readonly fingerprint: string;
  readonly signature: Uint8Array;
}

const LINE = /^([0-9a-f]{64}) ([A-Za-z0-9+/]{300,1400}={0,2})$/;

/** Throws ReleaseError unless it is one to eight lines and nothing else. */
export function parseReleaseSignatures(text: string, path: string): readonly ReleaseSignature[] {
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw new ReleaseError('bad-release', `${path} has ${lines.length} lines, at most ${MAX_SIGNATURES}`);
  return lines.map((line, index) => {
    const [, fingerprint, base64] = LINE.exec(line) ?? [];
    if (fingerprint === undefined || base64 === undefined)
      throw new ReleaseError('bad-release', `line ${index + 1} of ${path} is no fingerprint and signature`);
    return {fingerprint, signature: Buffer.from(base64, 'base64')};
  });
}

export function formatReleaseSignatures(signatures: readonly ReleaseSignature[]): string {
  return signatures
    .map(({fingerprint, signature}) => `${fingerprint} ${Buffer.from(signature).toString('base64')}\n`)
    .join('');
}

export function releaseDigest(manifest: string | Uint8Array): Uint8Array {
  return createHash('sha256').update(manifest).digest();
}

/** The same bytes every time. */
export function signRelease(manifest: string | Uint8Array, keys: readonly KeyObject[]): string {
  const digest = releaseDigest(manifest);
  return formatReleaseSignatures(
    keys.map((key) => ({fingerprint: keyFingerprint(key), signature: signDigest(digest, key)})),
  );
}

/** The first of the keys that signed it; undefined when none did. What a line says of its key is not believed. */
export function signerOfRelease<T extends {readonly key: KeyObject}>(
  manifest: string | Uint8Array,
  signatures: readonly ReleaseSignature[],
  keys: readonly T[],
): T | undefined {
  const digest = releaseDigest(manifest);
  return keys.find(({key}) => signatures.some(({signature}) => isSignedBy(digest, signature, key)));
}

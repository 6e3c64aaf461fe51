/** Signs the manifest of a release where its payload is signed: by keys at hand, or with signatures from elsewhere. */
import type {KeyObject} from 'node:crypto';
import {mkdir, readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {keyFingerprint} from '../formats/payload/keys.ts';
import {isSignedBy} from '../formats/payload/signatures.ts';
import {RELEASE_FILE} from '../formats/release.ts';
import {
  RELEASE_SIGNATURES_FILE,
  type ReleaseSignature,
  formatReleaseSignatures,
  releaseDigest,
  signRelease,
} from '../formats/release-signatures.ts';
import {writeFileAtomic} from '../platform/files.ts';
import {MakePayloadError} from './errors.ts';
import {PAYLOAD_FILE} from './make.ts';

export type ReleaseSigning =
  | {readonly kind: 'keys'; readonly privateKeys: readonly KeyObject[]}
  | {readonly kind: 'given'; readonly given: readonly (ReleaseSignature & {readonly key: KeyObject})[]};

/**
 * Writes payload/release.json.sig in the directory of a release; a build that makes the release anew takes it away with
 * the payload. Throws MakePayloadError 'bad-signature' when one that came from elsewhere is not by its key.
 */
export async function signReleaseFile(
  directory: string,
  signing: ReleaseSigning,
): Promise<{readonly path: string; readonly signedBy: readonly string[]}> {
  const manifest = await readFile(join(directory, RELEASE_FILE));
  const path = join(directory, dirname(PAYLOAD_FILE), RELEASE_SIGNATURES_FILE);
  if (signing.kind === 'given') requireGenuine(manifest, signing.given);
  const text =
    signing.kind === 'keys'
      ? signRelease(manifest, signing.privateKeys)
      : formatReleaseSignatures(signing.given);
  await mkdir(dirname(path), {recursive: true});
  await writeFileAtomic(path, text);
  const signedBy =
    signing.kind === 'keys'
      ? signing.privateKeys.map(keyFingerprint)
      : signing.given.map(({fingerprint}) => fingerprint);
  return {path, signedBy};
}

function requireGenuine(
  manifest: Uint8Array,
  given: readonly (ReleaseSignature & {readonly key: KeyObject})[],
): void {
  const digest = releaseDigest(manifest);
  for (const {key, signature, fingerprint} of given)
    if (!isSignedBy(digest, signature, key))
      throw new MakePayloadError(
        'bad-signature',
        `a signature is not of ${RELEASE_FILE} with SHA-256 ${Buffer.from(digest).toString('hex')} by key ${fingerprint.slice(0, 16)}`,
        {hint: 'openssl dgst -sha256 -sign KEY -out release.sig release.json makes one'},
      );
}

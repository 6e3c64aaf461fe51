/**
 * What belongs to a release beside its payload: its manifest, who signed that, and what the manifest vouches for by hash.
 * Read from the folder of a release, and checked before anything of it is believed.
 */
import {createHash, type KeyObject} from 'node:crypto';
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {MAX_RELEASE_BYTES, RELEASE_FILE, type Release, parseRelease} from '../../formats/release.ts';
import {
  MAX_RELEASE_SIGNATURES_BYTES,
  RELEASE_SIGNATURES_FILE,
  parseReleaseSignatures,
  signerOfRelease,
} from '../../formats/release-signatures.ts';
import {ServerError} from '../errors.ts';
import type {DocumentName, Documents} from '../store/releases.ts';

export interface TrustedKey {
  readonly name: string;
  readonly key: KeyObject;
}

/** The SBOM of a release with 200 packages has 300 KB. */
const MAX_DOCUMENT_BYTES = 8 << 20;
export const MAX_NOTES_BYTES = 256 * 1024;

/** Roles of files in a manifest that are kept as documents. */
const BY_ROLE = ['sbom', 'lock'] as const satisfies readonly DocumentName[];

/** Of a release's folder, what there is; nothing of it is checked. Throws ServerError for a file that is too long. */
export async function readDocuments(directory: string): Promise<Documents> {
  const manifest = await readText(join(directory, RELEASE_FILE), MAX_RELEASE_BYTES);
  if (manifest === null) return {};
  const {files} = parseRelease(manifest, join(directory, RELEASE_FILE));
  const found: Partial<Record<DocumentName, string>> = {manifest};
  const signatures = await readText(
    join(directory, 'payload', RELEASE_SIGNATURES_FILE),
    MAX_RELEASE_SIGNATURES_BYTES,
  );
  if (signatures !== null) found.signatures = signatures;
  for (const role of BY_ROLE) {
    const name = Object.entries(files).find(([, file]) => file.role === role)?.[0];
    const text = name === undefined ? null : await readText(join(directory, name), MAX_DOCUMENT_BYTES);
    if (text !== null) found[role] = text;
  }
  return found;
}

export interface CheckedDocuments {
  readonly release: Release;
  readonly signer: TrustedKey;
}

/** Throws ServerError 'untrusted' and ReleaseError unless all of it is vouched for by one of the keys. */
export function checkDocuments(
  version: string,
  {manifest, signatures, ...rest}: Documents,
  keys: readonly TrustedKey[],
): CheckedDocuments {
  if (manifest === undefined) throw untrusted(`release ${version} comes without ${RELEASE_FILE}`);
  if (signatures === undefined)
    throw new ServerError('untrusted', `${RELEASE_FILE} of release ${version} is not signed`, {
      hint: `sign it: caisson release sign ${version}`,
    });
  const lines = parseReleaseSignatures(signatures, RELEASE_SIGNATURES_FILE);
  const signer = signerOfRelease(manifest, lines, keys);
  if (signer === undefined) {
    const names = keys.map(({name}) => name).join(', ') || 'no key at all';
    throw new ServerError(
      'untrusted',
      `${RELEASE_FILE} of release ${version} is not signed by a trusted key: ${names}`,
      {hint: 'the keys are those that your hosts trust: --key FILE'},
    );
  }
  const release = parseRelease(manifest, RELEASE_FILE);
  if (release.version !== version)
    throw untrusted(`${RELEASE_FILE} is of release ${release.version}, not of ${version}`);
  for (const role of BY_ROLE) {
    const text = rest[role];
    if (text === undefined) continue;
    const expected = Object.values(release.files).find((file) => file.role === role)?.sha256;
    const found = createHash('sha256').update(text).digest('hex');
    if (found !== expected)
      throw untrusted(
        `the ${role} of release ${version} has SHA-256 ${found}, and its manifest says ${expected ?? 'nothing'}`,
      );
  }
  return {release, signer};
}

function untrusted(message: string): ServerError {
  return new ServerError('untrusted', message);
}

async function readText(path: string, maxBytes: number): Promise<string | null> {
  const info = await stat(path).catch(() => null);
  if (info === null) return null;
  if (info.size > maxBytes)
    throw new ServerError('no-release', `${path} has ${info.size} bytes, more than ${maxBytes}`);
  return readFile(path, 'utf8');
}

/** release.json: what one build made; the one file that tools read to find the others. */
import {CodedError} from './errors.ts';
import {describeIssues, z} from './schema.ts';
import {isVersion} from './version.ts';

export class ReleaseError extends CodedError<'bad-release'> {}

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const text = z.string().min(1).max(256);
const count = z.int().nonnegative();

const keys = z
  .array(z.strictObject({name: text, sha256: hash}))
  .max(100)
  .default([]);

const releaseSchema = z.strictObject({
  format: z.literal('caisson-release-1'),
  id: text,
  name: text,
  version: z.string().refine(isVersion, 'not a version'),
  channel: text,
  buildId: text,
  architecture: z.literal('x86-64'),
  /** Seconds since 1970; also the release's place in time for downgrade checks. */
  sourceDate: count,
  kernelRelease: text,
  usr: z.strictObject({rootHash: hash, partitionGuid: text, hashOffset: count, bytes: count}),
  sectorSize: z.union([z.literal(512), z.literal(4096)]),
  /** Bytes, and what was allowed. */
  sizes: z.record(z.string(), z.strictObject({bytes: count, budget: count})),
  packages: count,
  /** Whose signatures its hosts accept: SHA-256 of the public key, SubjectPublicKeyInfo in DER. */
  updateKeys: keys,
  /** The same for signed channels. */
  channelKeys: keys,
  files: z.record(
    // Of this directory, and never `..` or a hidden one.
    z.string().regex(/^\w[\w.-]{0,254}$/, 'not the name of a file'),
    z.strictObject({role: text, bytes: count, sha256: hash}),
  ),
});

export type Release = z.infer<typeof releaseSchema>;
export type ReleaseFile = Release['files'][string];

export const RELEASE_FILE = 'release.json';
/** A release names some dozen files. */
export const MAX_RELEASE_BYTES = 1 << 20;

export function parseRelease(json: string, path: string): Release {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new ReleaseError('bad-release', `${path} is not JSON: ${(error as Error).message}`, {cause: error});
  }
  const result = releaseSchema.safeParse(value);
  if (!result.success)
    throw new ReleaseError('bad-release', `${path} is not a release: ${describeIssues(result.error)}`);
  return result.data;
}

export function formatRelease(release: Release): string {
  return `${JSON.stringify(release, undefined, 2)}\n`;
}

/** The file name of a role, for example `disk`. Throws ReleaseError when the release has no such file. */
export function fileOfRole(release: Release, role: string): string {
  const found = Object.entries(release.files).find(([, file]) => file.role === role);
  if (found === undefined) throw new ReleaseError('bad-release', `release ${release.version} has no ${role}`);
  return found[0];
}

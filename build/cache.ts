/**
 * The cache directory of builds: what lies in it, and how it is told from a directory of someone else, in which
 * nothing may be made and from which nothing may be removed.
 */
import {mkdir, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {writeFileAtomic} from '../platform/files.ts';

export class CacheError extends CodedError<'not-a-cache'> {}

/** Backup programs leave out a directory with this file; bford.info/cachedir has the convention. */
export const CACHE_TAG = 'CACHEDIR.TAG';
const CACHE_TAG_TEXT = `Signature: 8a477f597d28d172789f06886806bc55
# This directory holds what builds of Caisson keep: packages, results of steps. It can be removed at any time.
`;

/** Everything that a build puts into its cache. */
export const CACHE_NAMES = [CACHE_TAG, 'lock', 'locks', 'packages', 'scratch', 'steps'] as const;

/** Of the file system, when the directory is a mount point. */
const FOREIGN_NAMES_ALLOWED = ['lost+found'];

/** Makes the directory if need be, and marks it as a cache. Throws CacheError when it holds anything else. */
export async function claimCache(directory: string): Promise<void> {
  await mkdir(directory, {recursive: true});
  const names = await readdir(directory);
  if (names.includes(CACHE_TAG)) return;
  const known: readonly string[] = [...CACHE_NAMES, ...FOREIGN_NAMES_ALLOWED];
  const foreign = names.filter((name) => !known.includes(name));
  if (foreign.length > 0) {
    throw new CacheError('not-a-cache', `${directory} is not a cache of Caisson: it holds ${foreign[0]}`, {
      hint: 'name an empty directory, or one that does not exist yet, with --cache',
    });
  }
  await writeFileAtomic(join(directory, CACHE_TAG), CACHE_TAG_TEXT);
}

/** Releases on this machine: by path, by version, or the newest. */
import {readFile, readdir, stat} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {MAX_RELEASE_BYTES, RELEASE_FILE, type Release, parseRelease} from '../formats/release.ts';
import {compareVersions, isVersion} from '../formats/version.ts';
import {pathExists} from '../platform/files.ts';

export class NoReleaseError extends CodedError<'no-release'> {}

export interface FoundRelease {
  directory: string;
  release: Release;
}

/** `name` is a directory with a release.json, or a version below `outDir`; without it the highest version is taken. */
export async function findRelease(outDir: string, name: string | undefined): Promise<FoundRelease> {
  const directory = name === undefined ? await newest(outDir) : await named(outDir, name);
  const path = join(directory, RELEASE_FILE);
  const {size} = await stat(path);
  if (size > MAX_RELEASE_BYTES)
    throw new NoReleaseError('no-release', `${path} has ${size} bytes, more than any release.json`);
  return {directory, release: parseRelease(await readFile(path, 'utf8'), path)};
}

async function named(outDir: string, name: string): Promise<string> {
  for (const directory of [resolve(name), join(outDir, name)]) {
    if (await pathExists(join(directory, RELEASE_FILE))) return directory;
  }
  throw new NoReleaseError('no-release', `there is no release ${name}`, {
    hint: `give a version below ${outDir} or a directory with a ${RELEASE_FILE}`,
  });
}

async function newest(outDir: string): Promise<string> {
  const names = (await pathExists(outDir)) ? await readdir(outDir) : [];
  const versions = names.filter(isVersion).sort(compareVersions);
  for (const version of versions.reverse()) {
    if (await pathExists(join(outDir, version, RELEASE_FILE))) return join(outDir, version);
  }
  throw new NoReleaseError('no-release', `there is no release in ${outDir}`, {
    hint: 'make one with: caisson build',
  });
}

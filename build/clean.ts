/** Frees what builds keep. What is to go is a list first, so that it can be shown without being done. */
import {lstat, readFile, readdir, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {MAX_RELEASE_BYTES, RELEASE_FILE, parseRelease} from '../formats/release.ts';
import {pathExists, walkTree} from '../platform/files.ts';

export interface CleanOptions {
  cacheDir: string;
  outDir: string;
  /** Also the packages, which the next build would fetch again, and the versions chosen of them. */
  packages: boolean;
  /** Also the releases in `outDir`. */
  releases: boolean;
}

export interface CleanItem {
  path: string;
  /** In words. */
  what: string;
  /** On disk, holes not counted. */
  bytes: number;
}

/** What would go; a part that is not there is no item. */
export async function planClean({cacheDir, outDir, packages, releases}: CleanOptions): Promise<CleanItem[]> {
  const items = await collect(join(cacheDir, 'scratch'), () => 'left over from a build that was stopped');
  items.push(...(await collect(join(cacheDir, 'steps'), () => 'results of a build step')));
  const whole = await collect(cacheDir, (name) => {
    if (packages && name === 'packages') return 'packages';
    if (packages && name === 'locks') return 'chosen package versions';
    return undefined;
  });
  items.push(...whole);
  if (!packages) {
    for (const part of ['packages', 'locks'])
      items.push(...(await collect(join(cacheDir, part), (name) => leftover(name))));
  }
  items.push(...(await collect(outDir, (name) => leftoverRelease(name))));
  if (releases) {
    const versions = await findReleases(outDir);
    items.push(...(await collect(outDir, (name) => (versions.has(name) ? 'release' : undefined))));
  }
  return items;
}

export async function removeItems(items: readonly CleanItem[], signal: AbortSignal): Promise<void> {
  for (const {path} of items) {
    signal.throwIfAborted();
    await rm(path, {recursive: true, force: true});
  }
}

/** The entries of a directory for which `describe` has words, with what they take up. */
async function collect(
  directory: string,
  describe: (name: string) => string | undefined,
): Promise<CleanItem[]> {
  const names = (await pathExists(directory)) ? (await readdir(directory)).sort() : [];
  const items: CleanItem[] = [];
  for (const name of names) {
    const [path, what] = [join(directory, name), describe(name)];
    if (what !== undefined) items.push({path, what, bytes: await bytesOnDisk(path)});
  }
  return items;
}

/** Downloads that did not end, and files that were not renamed into place. */
function leftover(name: string): string | undefined {
  return /\.part-\d+$/.test(name) || /^\..+\.[0-9a-f]{12}$/.test(name) ? 'unfinished download' : undefined;
}

function leftoverRelease(name: string): string | undefined {
  return /^\.new-\d+\.\d+\.\d+/.test(name) ? 'unfinished release' : undefined;
}

/** Directories with a release.json that reads as one; anything else in `outDir` is not ours to remove. */
async function findReleases(outDir: string): Promise<Set<string>> {
  const names = (await pathExists(outDir)) ? await readdir(outDir) : [];
  const found = new Set<string>();
  for (const name of names.filter((each) => !each.startsWith('.'))) {
    const path = join(outDir, name, RELEASE_FILE);
    const size = await stat(path).then(
      (file) => file.size,
      () => undefined,
    );
    if (size === undefined || size > MAX_RELEASE_BYTES) continue;
    if (isRelease(await readFile(path, 'utf8'), path)) found.add(name);
  }
  return found;
}

function isRelease(text: string, path: string): boolean {
  try {
    parseRelease(text, path);
    return true;
  } catch {
    return false;
  }
}

async function bytesOnDisk(path: string): Promise<number> {
  const found = await lstat(path);
  let blocks = found.blocks;
  if (found.isDirectory())
    for (const entry of await walkTree(path)) blocks += (await lstat(join(path, entry.path))).blocks;
  // st_blocks counts 512 bytes, whatever the file system's own block is.
  return blocks * 512;
}

/** The libraries that programs of a tree need, whether linked, loaded by name, or reached through links. */
import {lstat, readFile, readlink} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import {isElf, parseElf} from '../../formats/elf.ts';
import {CodedError} from '../../formats/errors.ts';
import {pathExists} from '../../platform/files.ts';

export class LibraryError extends CodedError<'missing-library' | 'link-loop'> {}

const LIBRARY_DIRECTORIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/systemd', 'usr/lib'];
/** Links in a row. */
const MAX_LINKS = 16;

/**
 * The given paths plus everything they need, links included. Libraries that a program only recommends or suggests to
 * load (the notes of systemd's dlopen) come along when the tree has them.
 */
export async function closeLibraries(tree: string, paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  const queue = [...paths];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    const target = await linkTarget(tree, path);
    if (target !== undefined) {
      queue.push(target);
      continue;
    }
    const bytes = await readFile(join(tree, path));
    if (!isElf(bytes)) continue;
    const elf = parseElf(bytes);
    if (elf.interpreter !== undefined) queue.push(await canonicalPath(tree, elf.interpreter));
    for (const name of elf.needed) {
      const library = await findLibrary(tree, name);
      if (library === undefined)
        throw new LibraryError('missing-library', `/${path} needs ${name}, which the tree does not have`);
      queue.push(library);
    }
    for (const name of elf.dlopen
      .filter(({priority}) => priority !== 'suggested')
      .flatMap(({soname}) => soname)) {
      const library = await findLibrary(tree, name);
      if (library !== undefined) queue.push(library);
    }
  }
  return found;
}

async function findLibrary(tree: string, name: string): Promise<string | undefined> {
  for (const directory of LIBRARY_DIRECTORIES) {
    const path = join(directory, name);
    if (await pathExists(join(tree, path))) return path;
  }
  return undefined;
}

/** Where a link of the tree points, as a path of the tree; undefined for anything but a link. */
async function linkTarget(tree: string, path: string): Promise<string | undefined> {
  const found = await lstat(join(tree, path));
  if (!found.isSymbolicLink()) return undefined;
  const link = await readlink(join(tree, path));
  const target = link.startsWith('/') ? link.slice(1) : normalize(join(dirname(path), link));
  return canonicalPath(tree, target);
}

/** A path with the links among its directories resolved: `lib64/ld.so` is `usr/lib64/ld.so`. */
async function canonicalPath(tree: string, path: string): Promise<string> {
  const parts = path.split('/').filter((part) => part !== '');
  let resolved = '';
  let links = 0;
  while (parts.length > 1) {
    const next = join(resolved, parts.shift() ?? '');
    const found = await lstat(join(tree, next)).catch(() => undefined);
    if (found?.isSymbolicLink() !== true) {
      resolved = next;
      continue;
    }
    if ((links += 1) > MAX_LINKS)
      throw new LibraryError('link-loop', `/${path}: more than ${MAX_LINKS} links`);
    const link = await readlink(join(tree, next));
    const target = link.startsWith('/') ? link.slice(1) : normalize(join(resolved, link));
    parts.unshift(...target.split('/'));
    resolved = '';
  }
  return join(resolved, parts[0] ?? '');
}

/** Takes out of a tree what only served to configure it, and what a host has no use for. */
import {lstat, readFile, readdir, rm, rmdir} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {compilePatterns} from '../../formats/glob.ts';
import {pathExists, walkTree} from '../../platform/files.ts';

const DPKG_INFO = 'var/lib/dpkg/info';

/**
 * Removes every file that belongs to one of the packages and to no other. Returns the packages that are not installed:
 * a site may have removed what brought them in, else the list is stale.
 */
export async function dropPackages(tree: string, packages: readonly string[]): Promise<string[]> {
  const info = join(tree, DPKG_INFO);
  const lists = (await readdir(info)).filter((name) => name.endsWith('.list'));
  const owners = new Map<string, Set<string>>();
  const installed = new Set<string>();
  for (const list of lists) {
    const name = list.slice(0, -'.list'.length).replace(/:.*$/, '');
    installed.add(name);
    for (const line of (await readFile(join(info, list), 'utf8')).split('\n')) {
      const path = canonicalPath(line);
      if (path === '') continue;
      const set = owners.get(path) ?? new Set();
      owners.set(path, set.add(name));
    }
  }
  const dropped = new Set(packages);
  const paths = [...owners]
    .filter(([, names]) => [...names].every((name) => dropped.has(name)))
    .map(([path]) => path);
  await removePaths(tree, paths);
  return packages.filter((name) => !installed.has(name));
}

/** Removes what the patterns cover. Returns the patterns that covered nothing. */
export async function dropPaths(tree: string, patterns: readonly string[]): Promise<string[]> {
  const set = compilePatterns(patterns);
  const covered = (await walkTree(tree)).map(({path}) => path).filter((path) => set.covers(path));
  for (const path of covered) await rm(join(tree, path), {recursive: true, force: true});
  return set.unused();
}

/** Files and links first, then the directories that became empty, deepest first. */
async function removePaths(tree: string, paths: readonly string[]): Promise<void> {
  const directories: string[] = [];
  const plain = new Map<string, Promise<boolean>>();
  for (const path of paths) {
    // What lies behind a link of the tree may lie outside of it: an absolute one leads into this machine.
    if (!(await isPlainDirectory(tree, dirname(path), plain))) continue;
    const found = await lstat(join(tree, path)).catch(() => undefined);
    if (found?.isDirectory() === true) directories.push(path);
    else if (found !== undefined) await rm(join(tree, path));
  }
  for (const path of directories.sort().reverse()) {
    if (await pathExists(join(tree, path))) await rmdir(join(tree, path)).catch(() => undefined);
  }
}

/** Whether the path and all above it are directories, not links to some; answers are kept in `known`. */
function isPlainDirectory(
  tree: string,
  path: string,
  known: Map<string, Promise<boolean>>,
): Promise<boolean> {
  if (path === '.') return Promise.resolve(true);
  const answer =
    known.get(path) ??
    isPlainDirectory(tree, dirname(path), known).then(
      async (isPlain) =>
        isPlain &&
        (await lstat(join(tree, path)).then(
          (found) => found.isDirectory(),
          () => false,
        )),
    );
  known.set(path, answer);
  return answer;
}

/** dpkg's lists still name /bin and /lib, which are links into /usr. */
function canonicalPath(line: string): string {
  const path = line === '/.' ? '' : line.replace(/^\//, '').replace(/\/$/, '');
  return /^(bin|sbin|lib|lib64)(\/|$)/.test(path) ? `usr/${path}` : path;
}

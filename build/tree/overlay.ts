/**
 * Lays a folder shaped like the target over a tree. Only `usr/` and `etc/` exist on the image (etc becomes the lower
 * layer of the host's /etc); everything else is state, which the host makes by tmpfiles.d.
 *
 * A path is never followed through a link of the tree: an overlay must not write outside of it.
 */
import {copyFile, chmod, lstat, mkdir, readlink, rm, stat, symlink} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {fingerprintTree, pathExists, walkTree} from '../../platform/files.ts';

export class OverlayError extends CodedError<
  'no-overlay' | 'outside-tree' | 'not-an-image-path' | 'not-a-file' | 'replaces-directory'
> {}

export interface OverlaySource {
  /** Shown in messages and as the label of inputs, for example `overlays/os`. */
  label: string;
  directory: string;
}

const IMAGE_DIRECTORIES = ['usr', 'etc'];

/** Label to hash, one for every file. */
export async function overlayInputs(sources: readonly OverlaySource[]): Promise<Record<string, string>> {
  const inputs: Record<string, string> = {};
  for (const {label, directory} of sources) {
    if (!(await pathExists(directory)))
      throw new OverlayError('no-overlay', `overlay folder ${label} does not exist`);
    for (const [path, print] of Object.entries(await fingerprintTree(directory))) {
      if (print !== 'directory') inputs[`${label}/${path}`] = print;
    }
  }
  return inputs;
}

export async function applyOverlay(source: OverlaySource, tree: string): Promise<void> {
  for (const {path, kind} of await walkTree(source.directory)) {
    const where = `${source.label}/${path}`;
    if (!IMAGE_DIRECTORIES.includes(path.split('/')[0] ?? '')) {
      throw new OverlayError('not-an-image-path', `${where}: an overlay holds only usr/ and etc/`, {
        hint: 'directories and files elsewhere are state: make them on the host by a tmpfiles.d entry',
      });
    }
    const target = join(tree, path);
    await requirePlainParents(tree, path, where);
    const before = await lstat(target).catch(() => undefined);
    if (kind === 'directory') {
      if (before?.isDirectory() === true) continue;
      if (before !== undefined) throw notADirectory(where, path);
      await mkdir(target);
      // Not what the umask of this build makes of it.
      await chmod(target, 0o755);
    } else if (before?.isDirectory() === true) {
      throw new OverlayError(
        'replaces-directory',
        `${where} would take the place of the directory /${path}`,
        {
          hint: 'leave the directory out with paths.drop first, if that is meant',
        },
      );
    } else if (kind === 'symlink') {
      const link = await readlink(join(source.directory, path));
      requireInside(path, link, where);
      await rm(target, {force: true});
      await symlink(link, target);
    } else if (kind === 'file') {
      const {mode} = await stat(join(source.directory, path));
      await rm(target, {force: true});
      await copyFile(join(source.directory, path), target);
      await chmod(target, (mode & 0o100) === 0 ? 0o644 : 0o755);
    } else {
      throw new OverlayError('not-a-file', `${where} is neither file, directory nor link`);
    }
  }
}

async function requirePlainParents(tree: string, path: string, where: string): Promise<void> {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    const found = await lstat(join(tree, parent)).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) throw notADirectory(where, parent);
  }
}

function notADirectory(where: string, path: string): OverlayError {
  return new OverlayError(
    'outside-tree',
    `${where}: /${path} is not a directory of the image but a link or file`,
    {hint: 'put the file where the link points, for example usr/lib instead of lib'},
  );
}

/** A link may point to a place of the running host, but not climb above its root. */
function requireInside(path: string, link: string, where: string): void {
  const reached = link.startsWith('/') ? normalize(link) : normalize(join(dirname(path), link));
  if (reached === '..' || reached.startsWith('../')) {
    throw new OverlayError('outside-tree', `${where}: its target ${link} lies outside of the image`);
  }
}

/** A directory as a tar whose bytes depend on its content only: sorted names, one time stamp, numeric owners. */
import type {Toolbox} from '../toolbox.ts';

export interface ArchiveOptions {
  tree: string;
  out: string;
  /** Seconds since 1970. */
  sourceDate: number;
  toolbox: Toolbox;
}

export async function archiveTree({tree, out, sourceDate, toolbox}: ArchiveOptions): Promise<void> {
  await toolbox.run([
    'tar',
    '--create',
    '--format=gnu',
    '--sort=name',
    '--numeric-owner',
    `--mtime=@${sourceDate}`,
    '--file',
    out,
    '--directory',
    tree,
    '.',
  ]);
}

/** Lays a tar over a directory, owners and modes included. */
export async function unpackArchive(
  archive: string,
  tree: string,
  toolbox: Toolbox,
  members: readonly string[] = [],
): Promise<void> {
  await toolbox.run([
    'tar',
    '--extract',
    '--exclude=./dev/*',
    '--numeric-owner',
    '--same-permissions',
    '--file',
    archive,
    '--directory',
    tree,
    ...members,
  ]);
}

/**
 * Makes the changes of files. First copies of what was there, then the record, then the files, each whole: whenever the
 * power fails, the next run knows what it may take back.
 */
import {chmod, chown, lstat, mkdir, rm} from 'node:fs/promises';
import {dirname} from 'node:path';
import {syncDirectory, writeFileAtomic} from '../../platform/files.ts';
import type {FileChange} from './files.ts';
import {type CloudHost, type Problem, onHost, problemOf} from './host.ts';
import type {RecordStore, SavedFile} from './record.ts';

/** Copies what is about to be replaced for the first time. */
export async function saveOriginals(
  store: RecordStore,
  changes: readonly FileChange[],
): Promise<ReadonlyMap<string, SavedFile>> {
  const saved = new Map<string, SavedFile>();
  for (const change of changes) {
    if (change.kind !== 'write-file' || !change.isWhole || change.before.kind !== 'file') continue;
    const {content, mode, uid, gid} = change.before;
    saved.set(change.path, {sha256: await store.save(content), mode, uid, gid});
  }
  return saved;
}

export interface WriteResult {
  readonly problems: readonly Problem[];
  /** The changes that were made. */
  readonly done: readonly FileChange[];
}

export async function performFiles(
  host: CloudHost,
  store: RecordStore,
  changes: readonly FileChange[],
): Promise<WriteResult> {
  const problems: Problem[] = [];
  const done: FileChange[] = [];
  for (const change of changes) {
    try {
      if (change.kind === 'write-file') await write(host, change.path, change.content, change);
      else if (change.restore === null) await remove(host, change.path);
      else await write(host, change.path, await store.saved(change.restore.sha256), change.restore);
      done.push(change);
    } catch (error) {
      problems.push(
        problemOf(
          error,
          `${change.path} could not be ${change.kind === 'write-file' ? 'written' : 'taken back'}`,
        ),
      );
    }
  }
  return {problems, done};
}

async function write(
  host: CloudHost,
  path: string,
  content: Uint8Array,
  {mode, uid, gid}: {mode: number; uid: number | null; gid: number | null},
): Promise<void> {
  if (uid === null || gid === null) throw new Error('its owner could not be made');
  const full = onHost(host, path);
  await mkdir(dirname(full), {recursive: true, mode: 0o755});
  await writeFileAtomic(full, content, mode & 0o600);
  await chown(full, uid, gid);
  // After the owner: changing that takes a set-user bit away.
  await chmod(full, mode);
}

async function remove(host: CloudHost, path: string): Promise<void> {
  const full = onHost(host, path);
  // Never a folder, whatever has become of the path since.
  if ((await lstat(full)).isDirectory()) throw new Error('it is a folder');
  await rm(full);
  await syncDirectory(dirname(full));
}

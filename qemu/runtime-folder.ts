/** A private folder for what a machine needs while it runs: sockets, firmware variables, ssh's known hosts. */
import {rmSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** A Unix socket's path may have 107 bytes (sun_path in unix(7)); this leaves room for our names below it. */
const FOLDER_MAX_BYTES = 70;

const folders = new Set<string>();

export interface RuntimeFolder {
  path: string;
  remove(): Promise<void>;
}

/** Removed by `remove`, or when this process exits. */
export async function createRuntimeFolder(): Promise<RuntimeFolder> {
  const parent = Buffer.byteLength(tmpdir()) + 20 > FOLDER_MAX_BYTES ? '/tmp' : tmpdir();
  const path = await mkdtemp(join(parent, 'caisson-vm-'));
  // One listener for all folders: Node warns beyond ten.
  if (folders.size === 0) process.on('exit', removeAll);
  folders.add(path);
  return {
    path,
    async remove() {
      folders.delete(path);
      if (folders.size === 0) process.off('exit', removeAll);
      await rm(path, {recursive: true, force: true});
    },
  };
}

function removeAll(): void {
  for (const path of folders) rmSync(path, {recursive: true, force: true});
}

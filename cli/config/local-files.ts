/** A folder whose files a config may take in; nothing outside it, by links either. */
import {lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync, statSync} from 'node:fs';
import {join, sep} from 'node:path';
import type {LocalEntry, LocalFiles} from '../../formats/ignition/butane.ts';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {MAX_IGNITION_BYTES} from '../../formats/ignition/read-config.ts';

export function openFolder(folder: string): LocalFiles {
  const root = realpathSync(folder);

  function place(path: string): string {
    const full = realpathSync(join(root, path));
    if (full === root || full.startsWith(`${root}${sep}`)) return full;
    throw new IgnitionError('bad-config', `${path} leads out of ${folder}`);
  }

  function below(directory: string, prefix: string): LocalEntry[] {
    return readdirSync(directory)
      .sort()
      .flatMap((name): LocalEntry[] => {
        const [full, path] = [join(directory, name), `${prefix}${name}`];
        const found = lstatSync(full);
        if (found.isSymbolicLink()) return [{kind: 'link', path, target: readlinkSync(full)}];
        if (found.isDirectory()) return [{kind: 'directory', path}, ...below(full, `${path}/`)];
        if (found.isFile()) return [{kind: 'file', path, isExecutable: (found.mode & 0o100) !== 0}];
        throw new IgnitionError('bad-config', `${path} is no file, directory or link`);
      });
  }

  return {
    read(path) {
      const full = place(path);
      const {size} = statSync(full);
      if (size > MAX_IGNITION_BYTES)
        throw new IgnitionError('too-large', `${path} has ${size} bytes, more than ${MAX_IGNITION_BYTES}`);
      return readFileSync(full);
    },
    list: (path) => below(place(path), ''),
  };
}

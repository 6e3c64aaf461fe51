/** Signed channels as files, `channels/NAME.json` below a folder: for sites with a web server, and for `caisson serve`. */
import {mkdir, readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {channelPath} from '../../formats/channel-metadata/channel-file.ts';
import {writeFileAtomic} from '../../platform/files.ts';
import type {SignedChannels} from './signer.ts';

export function channelFolder(dir: string): SignedChannels {
  return {
    async read(name) {
      try {
        return await readFile(join(dir, channelPath(name)));
      } catch (error) {
        if ((error as {code?: unknown}).code === 'ENOENT') return null;
        throw error;
      }
    },
    async write(name, _serial, envelope) {
      const path = join(dir, channelPath(name));
      await mkdir(dirname(path), {recursive: true});
      await writeFileAtomic(path, envelope);
    },
  };
}

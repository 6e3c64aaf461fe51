/** The configuration as it stands now: the host's file over OEM's over the release's, read again before every check. */
import {open} from 'node:fs/promises';
import {type ConfLayer, type UpdateConf, parseUpdateConf} from '../../formats/update-conf.ts';
import type {HostPaths} from '../paths.ts';

/** One more than what parseUpdateConf accepts, so that it sees that there is more. */
const MAX_BYTES = 65 * 1024;

type ConfPaths = Pick<HostPaths, 'config' | 'oemConfig' | 'vendorConfig'>;

export async function readConf(paths: ConfPaths): Promise<UpdateConf> {
  const layers = await Promise.all([paths.config, paths.oemConfig, paths.vendorConfig].map(readLayer));
  return parseUpdateConf(layers.filter((layer) => layer !== null));
}

async function readLayer(path: string): Promise<ConfLayer | null> {
  try {
    const file = await open(path, 'r');
    try {
      const buffer = new Uint8Array(MAX_BYTES);
      const {bytesRead} = await file.read(buffer, 0, MAX_BYTES, 0);
      return {path, text: new TextDecoder().decode(buffer.subarray(0, bytesRead))};
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    // Refusing to guess what it says: a line that is no assignment of a known kind stops checks.
    const message = error instanceof Error ? error.message : String(error);
    return {path, text: `SERVER=unreadable (${message.replaceAll(/\s+/g, ' ')})`};
  }
}

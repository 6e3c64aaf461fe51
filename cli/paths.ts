/** Where things are, unless the command line says otherwise. */
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const ROOT_DIR = dirname(dirname(fileURLToPath(import.meta.url)));
export const DEFAULT_OUT_DIR = join(ROOT_DIR, 'out');
/** Keys that sign updates, made by `caisson keys`; not in the repository. */
export const DEFAULT_KEYS_DIR = join(ROOT_DIR, 'keys');
/** Keys that sign channels: in a folder of their own, because what lies in keys/ is trusted with updates. */
export const DEFAULT_CHANNEL_KEYS_DIR = join(DEFAULT_KEYS_DIR, 'channel');
/** Key and note of the machine that `caisson run` starts. */
export const MACHINE_DIR = join(DEFAULT_OUT_DIR, 'machine');

/** Packages and the results of build steps, shared by all checkouts of this user. */
export function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  return env['CAISSON_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'caisson');
}

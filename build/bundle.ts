/**
 * TypeScript to one file of JavaScript: for the programs that ship on the host, and to tell whether the code behind a
 * build step changed. The one importer of the bundler.
 */
import {createHash} from 'node:crypto';
import {build} from 'esbuild';

/** The code of a module and of everything of ours it imports, except the doors in platform/. */
export async function fingerprintProgram(entry: string, root: string): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    // Doors to the world pass bytes on; they do not shape them.
    external: ['../platform/*', '../../platform/*'],
    logLevel: 'silent',
  });
  return createHash('sha256')
    .update(result.outputFiles[0]?.contents ?? '')
    .digest('hex');
}

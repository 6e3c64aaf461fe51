/**
 * TypeScript to one file of JavaScript: for the programs that ship on the host, and to tell whether the code behind a
 * build step changed. The one importer of the bundler.
 */
import {createHash} from 'node:crypto';
import {build} from 'esbuild';
import {CodedError} from '../formats/errors.ts';

export class BundleError extends CodedError<'not-bundled'> {}

/** Packages in the CommonJS form ask for Node's modules by a `require` that a module of the newer form has not. */
const REQUIRE =
  "import {createRequire as caissonRequire} from 'node:module'; const require = caissonRequire(import.meta.url);";

export interface BundleOptions {
  /** The first line, for a program that people call by its name. */
  hashbang?: string;
}

/**
 * A program with all it imports, packages too, as one file of JavaScript. The same sources give the same bytes wherever
 * the checkout lies. Names and lines stay readable: a stack trace in a host's journal is all that its reader has, and
 * the few hundred kB that minifying would save are a thousandth of the image. The licences of packages stand at the end.
 * Throws BundleError with what the bundler found wrong.
 */
export async function bundleProgram(
  entry: string,
  root: string,
  {hashbang}: BundleOptions = {},
): Promise<Uint8Array> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    charset: 'utf8',
    legalComments: 'eof',
    banner: {js: [...(hashbang === undefined ? [] : [hashbang]), REQUIRE].join('\n')},
    logLevel: 'silent',
  }).catch((error: unknown) => {
    // Its message names files and lines; its stack is that of the bundler.
    throw new BundleError('not-bundled', `${entry}: ${error instanceof Error ? error.message : ''}`);
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new BundleError('not-bundled', `${entry}: the bundler gave nothing`);
  return output.contents;
}

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

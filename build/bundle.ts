/**
 * TypeScript to one file of JavaScript: for the programs that ship on the host, and to tell whether the code behind a
 * build step changed. The one importer of the bundler.
 */
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {build} from 'esbuild';
import {CodedError} from '../formats/errors.ts';
import {z} from '../formats/schema.ts';
import type {NpmPackage} from '../formats/spdx.ts';

export class BundleError extends CodedError<'not-bundled'> {}

/** Packages in the CommonJS form ask for Node's modules by a `require` that a module of the newer form has not. */
const REQUIRE =
  "import {createRequire as caissonRequire} from 'node:module'; const require = caissonRequire(import.meta.url);";

export interface BundleOptions {
  /** The first line, for a program that people call by its name. */
  hashbang?: string;
}

export interface Bundle {
  code: Uint8Array;
  /** Of which code is in it. */
  packages: readonly NpmPackage[];
}

/** What npm puts into every package, of a licence in one form. */
const packageSchema = z.object({name: z.string(), version: z.string(), license: z.string().optional()});
/** The innermost package that a file belongs to. */
const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/**
 * A program with all it imports, packages too, as one file of JavaScript. The same sources give the same bytes wherever
 * the checkout lies. Names and lines stay readable: a stack trace in a host's journal is all that its reader has, and
 * the few hundred kB that minifying would save are a thousandth of the image. The licences of packages stand at the end.
 * Throws BundleError with what the bundler found wrong.
 */
export async function bundleProgram(
  entry: string,
  root: string,
  options: BundleOptions = {},
): Promise<Uint8Array> {
  return (await bundleWithPackages(entry, root, options)).code;
}

/** The same, with the packages of npm that have code in it. */
export async function bundleWithPackages(
  entry: string,
  root: string,
  {hashbang}: BundleOptions = {},
): Promise<Bundle> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
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
  const inputs = Object.values(result.metafile.outputs).flatMap((each) => Object.entries(each.inputs));
  const files = inputs.filter(([, {bytesInOutput}]) => bytesInOutput > 0).map(([path]) => path);
  return {code: output.contents, packages: await packagesOf(files, root)};
}

async function packagesOf(files: readonly string[], root: string): Promise<NpmPackage[]> {
  const folders = files.flatMap((path) => PACKAGE_FOLDER.exec(path)?.[0] ?? []);
  return Promise.all(
    [...new Set(folders)].sort().map(async (folder) => {
      const text = await readFile(join(root, folder, 'package.json'), 'utf8');
      const {name, version, license} = packageSchema.parse(JSON.parse(text));
      return {name, version, ...(license === undefined ? {} : {licenses: license})};
    }),
  );
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

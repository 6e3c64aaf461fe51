/**
 * Caisson's own programs for the host: TypeScript of update-engine/, each bundled to one file, so that a host needs
 * Node and nothing of npm. A step of its own: a change of their code that changes no byte of them costs nothing more.
 */
import {createHash} from 'node:crypto';
import {chmod, copyFile, mkdir, readFile, symlink, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {formatBytes} from '../../formats/units.ts';
import type {NpmPackage} from '../../formats/spdx.ts';
import {type Bundle, bundleWithPackages} from '../bundle.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';

interface HostProgram {
  /** In the repository. */
  entry: string;
  /** In /usr/lib/caisson of the host. */
  file: string;
  /** Names in /usr/bin; the program tells them apart. Without any, units start it through node. */
  commands: readonly string[];
}

/** Also what the installer for other systems is made of. */
export const INSTALLER_FILE = 'install.mjs';

/** A contract with the units in overlays/os. */
const HOST_PROGRAMS: readonly HostProgram[] = [
  {entry: 'update-engine/main.ts', file: 'update-engine.mjs', commands: []},
  {entry: 'update-engine/health/main.ts', file: 'health.mjs', commands: []},
  {entry: 'update-engine/hooks/main.ts', file: 'hooks.mjs', commands: []},
  {entry: 'update-engine/etcd-discovery/main.ts', file: 'etcd-discovery.mjs', commands: []},
  {entry: 'update-engine/ignition/main.ts', file: 'ignition.mjs', commands: []},
  {
    entry: 'update-engine/ctl/main.ts',
    file: 'caissonctl.mjs',
    commands: ['caissonctl', 'update_engine_client', 'locksmithctl'],
  },
  {
    entry: 'update-engine/cloud-config/main.ts',
    file: 'cloudinit.mjs',
    commands: ['caisson-cloudinit', 'coreos-cloudinit'],
  },
  {entry: 'update-engine/installer/main.ts', file: INSTALLER_FILE, commands: ['caisson-install']},
];

/** The npm packages in them, beside them in the step's directory: part of the bill of materials. */
const NPM_PACKAGES_FILE = 'npm-packages.json';
const PROGRAM_FOLDER = 'usr/lib/caisson';
const HASHBANG = '#!/usr/bin/node';

export function programsStep({rootDir}: StepContext): BuildStep {
  let bundled: Promise<Map<string, Bundle>> | undefined;
  // Asked for twice, by the key and by the run, and the same both times.
  const bundleAll = (): Promise<Map<string, Bundle>> => (bundled ??= bundleWithPackagess(rootDir));
  return {
    name: 'programs',
    title: 'Bundling the programs of the host',
    needs: [],
    sources: ['build/steps/programs.ts'],
    async inputs() {
      const bundles = await bundleAll();
      const inputs: Record<string, string> = {'npm packages': JSON.stringify(packagesIn(bundles))};
      for (const [file, {code}] of bundles) inputs[file] = createHash('sha256').update(code).digest('hex');
      return inputs;
    },
    async run(out, progress) {
      const bundles = await bundleAll();
      for (const [file, {code}] of bundles) {
        await writeFile(join(out, file), code);
        progress.note(`${file}: ${formatBytes(code.length)}`);
      }
      await writeFile(join(out, NPM_PACKAGES_FILE), JSON.stringify(packagesIn(bundles)));
    },
  };
}

/** What `run` found in the bundles. `from` is the step's directory. */
export async function readNpmPackages(from: string): Promise<readonly NpmPackage[]> {
  return JSON.parse(await readFile(join(from, NPM_PACKAGES_FILE), 'utf8')) as NpmPackage[];
}

/** Each version of each package once, in an order of its own. */
function packagesIn(bundles: ReadonlyMap<string, Bundle>): NpmPackage[] {
  const all = [...bundles.values()].flatMap(({packages}) => packages);
  const byName = new Map(all.map((each) => [`${each.name}@${each.version}`, each]));
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

async function bundleWithPackagess(rootDir: string): Promise<Map<string, Bundle>> {
  const programs = new Map<string, Bundle>();
  for (const {entry, file, commands} of HOST_PROGRAMS) {
    const options = commands.length > 0 ? {hashbang: HASHBANG} : {};
    programs.set(file, await bundleWithPackages(join(rootDir, entry), rootDir, options));
  }
  return programs;
}

/** Puts what the step made into a tree. `from` is the step's directory. */
export async function installPrograms(tree: string, from: string): Promise<void> {
  const folder = join(tree, PROGRAM_FOLDER);
  await mkdir(folder, {recursive: true});
  for (const {file, commands} of HOST_PROGRAMS) {
    const target = join(folder, file);
    await copyFile(join(from, file), target);
    await chmod(target, commands.length > 0 ? 0o755 : 0o644);
    for (const command of commands)
      await symlink(`../lib/caisson/${basename(file)}`, join(tree, 'usr/bin', command));
  }
}

/**
 * The initrd: systemd, the verity and partition tools, and the drivers that find a disk; nothing else.
 *
 * Put together by us from a list of files, the libraries they name and the modules they need. Rejected: dracut, whose
 * shell hooks and general modules cost seconds of every boot and whose output depends on the machine it runs on.
 */
import {copyFile, lstat, mkdir, readFile, readlink, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {type CpioEntry, encodeCpio} from '../../formats/cpio.ts';
import {CodedError} from '../../formats/errors.ts';
import {compilePatterns} from '../../formats/glob.ts';
import {closeModules, parseModuleIndex} from '../../formats/kernel-modules.ts';
import {fingerprintTree, walkTree} from '../../platform/files.ts';
import {unpackArchive} from '../tree/archive.ts';
import {closeLibraries} from '../tree/libraries.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';
import {KERNEL_RELEASE_FILE, MODULES_FILE} from './kernel.ts';
import {TREE_FILE} from './trees.ts';

export class InitrdError extends CodedError<'missing-file'> {}

export const INITRD_FILE = 'initrd.zst';

/** Directories that systemd mounts into, and links that Debian has at the top. */
const SKELETON_DIRECTORIES = ['dev', 'etc', 'proc', 'root', 'run', 'sys', 'sysroot', 'tmp', 'var', 'usr'];
const SKELETON_LINKS: Readonly<Record<string, string>> = {
  bin: 'usr/bin',
  sbin: 'usr/sbin',
  lib: 'usr/lib',
  lib64: 'usr/lib64',
  init: 'usr/lib/systemd/systemd',
};

export function initrdStep(context: StepContext): BuildStep {
  const {definition, lock, toolbox, scratchDir, rootDir} = context;
  const overlay = join(rootDir, 'overlays/initrd');
  return {
    name: 'initrd',
    title: 'Making the initrd',
    needs: ['tools-tree', 'os-tree', 'kernel'],
    sources: ['build/steps/initrd.ts'],
    async inputs() {
      const prints = Object.entries(await fingerprintTree(overlay)).filter(
        ([, print]) => print !== 'directory',
      );
      return {
        ...Object.fromEntries(prints.map(([path, print]) => [`overlays/initrd/${path}`, print])),
        'name and id': JSON.stringify([definition.name, definition.id]),
        'initrd.files': JSON.stringify(definition.initrd.files),
        'initrd.modules': JSON.stringify(definition.initrd.modules),
        'source date': String(lock.sourceDate),
      };
    },
    async run(out, progress, needed) {
      const tree = join(scratchDir, 'initrd');
      await mkdir(tree);
      const kernel = needed.get('kernel')?.directory ?? '';
      await unpackArchive(join(needed.get('os-tree')?.directory ?? '', TREE_FILE), tree, toolbox);
      await unpackArchive(join(kernel, MODULES_FILE), tree, toolbox, ['./usr']);
      const release = (await readFile(join(kernel, KERNEL_RELEASE_FILE), 'utf8')).trim();

      progress.note('collecting files');
      const programs = await selectFiles(tree, definition.initrd.files);
      const paths = await closeLibraries(tree, programs);
      const modules = await makeModuleTree(tree, release, definition.initrd.modules, context);
      const entries = new Map<string, CpioEntry>();
      for (const path of SKELETON_DIRECTORIES) entries.set(path, {path, kind: 'directory', mode: 0o755});
      for (const [path, target] of Object.entries(SKELETON_LINKS))
        entries.set(path, {path, kind: 'symlink', mode: 0o777, target});
      for (const path of paths) entries.set(path, await readEntry(tree, path));
      for (const root of [modules, overlay]) {
        for (const {path, kind} of await walkTree(root))
          if (kind !== 'directory') entries.set(path, await readEntry(root, path));
      }
      // systemd knows an initrd by this file; the name of the host is set from it before /usr is there.
      const marker = Buffer.from(
        `NAME="${definition.name} (initrd)"\nID=${definition.id}\nDEFAULT_HOSTNAME=${definition.id}\n`,
      );
      entries.set('etc/initrd-release', {
        path: 'etc/initrd-release',
        kind: 'file',
        mode: 0o644,
        data: marker,
      });
      entries.set('etc/os-release', {
        path: 'etc/os-release',
        kind: 'symlink',
        target: 'initrd-release',
        mode: 0o777,
      });
      entries.set('etc/machine-id', {
        path: 'etc/machine-id',
        kind: 'file',
        mode: 0o644,
        data: Buffer.alloc(0),
      });

      progress.note('compressing');
      const archive = join(scratchDir, 'initrd.cpio');
      await writeFile(archive, encodeCpio(entries.values(), {mtime: lock.sourceDate}));
      await toolbox.run([
        'zstd',
        '-9',
        '--single-thread',
        '--quiet',
        '--rm',
        '-o',
        join(out, INITRD_FILE),
        archive,
      ]);
      await rm(tree, {recursive: true});
      await rm(modules, {recursive: true});
    },
  };
}

/** The tree's paths that the patterns name; a pattern that names nothing is an error. */
async function selectFiles(tree: string, patterns: readonly string[]): Promise<string[]> {
  const set = compilePatterns(patterns);
  const selected = (await walkTree(tree))
    .filter(({path, kind}) => kind !== 'directory' && set.covers(path))
    .map(({path}) => path);
  const unused = set.unused();
  if (unused.length > 0) {
    throw new InitrdError('missing-file', `initrd.files: no package brings ${unused.join(', ')}`, {
      hint: 'correct the list in build/os.yaml',
    });
  }
  return selected;
}

/** A module directory of its own with the wanted modules, what they need, and an index of just those. */
async function makeModuleTree(
  tree: string,
  release: string,
  names: readonly string[],
  context: StepContext,
): Promise<string> {
  const source = join(tree, 'usr/lib/modules', release);
  const read = (name: string): Promise<string> => readFile(join(source, name), 'utf8');
  const index = parseModuleIndex({
    dep: await read('modules.dep'),
    builtin: await read('modules.builtin'),
    softdep: await read('modules.softdep'),
    alias: await read('modules.alias'),
  });
  const root = join(context.scratchDir, 'initrd-modules');
  const target = join(root, 'usr/lib/modules', release);
  for (const path of [
    ...closeModules(index, names).paths,
    'modules.order',
    'modules.builtin',
    'modules.builtin.modinfo',
  ]) {
    await mkdir(dirname(join(target, path)), {recursive: true});
    await copyFile(join(source, path), join(target, path));
  }
  await context.toolbox.run(['depmod', '--basedir', join(root, 'usr'), '--all', release]);
  return root;
}

async function readEntry(root: string, path: string): Promise<CpioEntry> {
  const full = join(root, path);
  const found = await lstat(full);
  if (found.isSymbolicLink()) return {path, kind: 'symlink', mode: 0o777, target: await readlink(full)};
  return {path, kind: 'file', mode: (found.mode & 0o100) === 0 ? 0o644 : 0o755, data: await readFile(full)};
}

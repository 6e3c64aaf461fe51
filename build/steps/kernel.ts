/**
 * The kernel: its package is unpacked, not installed, because all its scripts would do is call an initrd builder and a
 * boot loader that the image does not have. Unwanted modules are left out while the package streams by; the rest is
 * decompressed, so that files on /usr can be compared block by block between releases.
 */
import {once} from 'node:events';
import {mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {type Header, extract} from 'tar-stream';
import {CodedError} from '../../formats/errors.ts';
import {type PatternSet, compilePatterns} from '../../formats/glob.ts';
import {start} from '../../platform/exec.ts';
import {walkTree, withFile} from '../../platform/files.ts';
import {fetchPackages, packagePath} from '../packages.ts';
import {archiveTree} from '../tree/archive.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';
import {digestPackages} from './trees.ts';

export class KernelError extends CodedError<'bad-kernel-package'> {}

export const KERNEL_FILE = 'vmlinuz';
/** Holds usr/lib/modules/RELEASE. */
export const MODULES_FILE = 'modules.tar';
/** The kernel's release, as `uname -r` says it. */
export const KERNEL_RELEASE_FILE = 'release';

const MODULE_PATH = /^\.?\/?usr\/lib\/modules\/([^/]+)\/(.+)$/;
/** Arguments of one xz process; all of them would be too long for a command line. */
const FILES_A_CALL = 500;

export function kernelStep(context: StepContext): BuildStep {
  const {definition, lock, packages, toolbox, scratchDir, warn} = context;
  return {
    name: 'kernel',
    title: 'Preparing the kernel',
    needs: ['tools-tree'],
    sources: ['build/steps/kernel.ts'],
    inputs: () =>
      Promise.resolve({
        'kernel in the lock': digestPackages(lock.kernel),
        'kernel.modules.drop': JSON.stringify(definition.kernel.modules.drop),
        'source date': String(lock.sourceDate),
      }),
    async run(out, progress) {
      await fetchPackages(packages, lock.kernel);
      const [entry] = lock.kernel;
      if (entry === undefined) throw new KernelError('bad-kernel-package', 'the lock names no kernel');
      const tree = join(scratchDir, 'kernel');
      const drop = compilePatterns(definition.kernel.modules.drop);
      progress.note('unpacking');
      await unpackKernel(packagePath(packages, entry), tree, join(out, KERNEL_FILE), drop, (count) =>
        progress.update(count),
      );
      for (const pattern of drop.unused()) warn(`kernel.modules.drop: nothing matches ${pattern}`);

      const [release, ...others] = await readdir(join(tree, 'usr/lib/modules'));
      if (release === undefined || others.length > 0) {
        throw new KernelError(
          'bad-kernel-package',
          `${entry.name} holds the modules of ${others.length + 1} kernels`,
        );
      }
      progress.note('decompressing modules');
      const compressed = (await walkTree(tree))
        .filter(({path}) => path.endsWith('.ko.xz'))
        .map(({path}) => join(tree, path));
      for (let at = 0; at < compressed.length; at += FILES_A_CALL) {
        await toolbox.run(['xz', '--decompress', '--', ...compressed.slice(at, at + FILES_A_CALL)]);
      }
      const order = join(tree, 'usr/lib/modules', release, 'modules.order');
      await writeFile(order, (await readFile(order, 'utf8')).replaceAll('.ko.xz', '.ko'));
      await toolbox.run(['depmod', '--basedir', join(tree, 'usr'), '--all', release]);
      progress.note('packing');
      await archiveTree({tree, out: join(out, MODULES_FILE), sourceDate: lock.sourceDate, toolbox});
      await writeFile(join(out, KERNEL_RELEASE_FILE), `${release}\n`);
      await rm(tree, {recursive: true});
    },
  };
}

async function unpackKernel(
  file: string,
  tree: string,
  kernelOut: string,
  drop: PatternSet,
  onBytes: (count: number) => void,
): Promise<void> {
  const unpacking = start(['dpkg-deb', '--fsys-tarfile', file]);
  const reader = extract();
  let bytes = 0;
  let foundKernel = false;
  const feeding = (async () => {
    for await (const chunk of unpacking.stdout) if (!reader.write(chunk)) await once(reader, 'drain');
    reader.end(null);
  })();
  for await (const entry of reader) {
    const target = targetOf(entry.header, tree, kernelOut, drop);
    if (target === undefined) {
      entry.resume();
      continue;
    }
    foundKernel ||= target === kernelOut;
    await mkdir(dirname(target), {recursive: true});
    await withFile(target, 'w', async (out) => {
      for await (const chunk of entry) await out.write(chunk as Uint8Array);
    });
    onBytes((bytes += entry.header.size));
  }
  await feeding;
  await unpacking.finished();
  if (!foundKernel) throw new KernelError('bad-kernel-package', `${file} holds no boot/vmlinuz-*`);
}

/** Where a member of the package goes; undefined for one that is left out. */
function targetOf(header: Header, tree: string, kernelOut: string, drop: PatternSet): string | undefined {
  if (header.type !== 'file') return undefined;
  const name = header.name.replace(/^\.?\//, '');
  if (/^boot\/vmlinuz-[^/]+$/.test(name)) return kernelOut;
  const [, release, path] = MODULE_PATH.exec(name) ?? [];
  if (release === undefined || path === undefined || path.split('/').includes('..')) return undefined;
  // Patterns are written without the kernel/ directory and the endings that every module has.
  const isModule = path.startsWith('kernel/');
  if (isModule && drop.covers(path.replace(/^kernel\//, '').replace(/\.ko(\.xz)?$/, ''))) return undefined;
  return join(tree, 'usr/lib/modules', release, path);
}

/**
 * /usr: the tree of packages, pruned, overlaid and finished, as one erofs image with its verity tree behind it.
 *
 * erofs is fed a sorted tar rather than a directory: the order in which a file system lists a directory would
 * otherwise decide where files lie in the image.
 */
import {createHash} from 'node:crypto';
import {chmod, copyFile, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {guidFromHex} from '../../formats/guid.ts';
import type {Progress} from '../../platform/log.ts';
import {appendVerity} from '../../image/verity.ts';
import {osReleaseOf} from '../identity.ts';
import {fetchPackages, packagePath} from '../packages.ts';
import {encodeSbom} from '../sbom.ts';
import {archiveTree, unpackArchive} from '../tree/archive.ts';
import {dropPackages, dropPaths} from '../tree/drop.ts';
import {
  describeState,
  findOrphanScripts,
  findSecrets,
  finishTree,
  forgetEnablement,
  moveEtc,
} from '../tree/finish.ts';
import {applyOverlay, overlayInputs} from '../tree/overlay.ts';
import {makeAccounts} from '../tree/users.ts';
import {installChannelKeys, installUpdateKeys} from '../update-keys.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';
import {MODULES_FILE} from './kernel.ts';
import {installPrograms, readNpmPackages} from './programs.ts';
import {TREE_FILE, digestPackages} from './trees.ts';

export class UsrError extends CodedError<'secret-in-image'> {}

/** erofs and verity tree, as it lies in a USR partition. */
export const USR_FILE = 'usr.img';
/** JSON: UsrFacts. */
const USR_FACTS_FILE = 'usr.json';
export const OS_RELEASE_FILE = 'os-release';
/** In the step's directory and in usr/share/caisson: what the installer puts on the disks of others. */
export const SELECTOR_FILE = 'selector.efi';
export const SBOM_FILE = 'sbom.spdx.json';

/** What the following steps need to know of the image. */
export interface UsrFacts {
  rootHash: string;
  /** Bytes of the file system; the verity superblock follows there. */
  hashOffset: number;
  bytes: number;
}

/** `directory` is the result of the step. */
export async function readUsrFacts(directory: string): Promise<UsrFacts> {
  return JSON.parse(await readFile(join(directory, USR_FACTS_FILE), 'utf8')) as UsrFacts;
}

export function usrStep(context: StepContext): BuildStep {
  const {definition, lock, overlays, packages, toolbox, updateKeys, channelKeys, scratchDir, warn} = context;
  async function inputs(): Promise<Record<string, string>> {
    const {name, id, version, channel, home, packages: lists, paths, enable, disable} = definition;
    return {
      ...(await overlayInputs(overlays)),
      'kernel.modules.drop': JSON.stringify(definition.kernel.modules.drop),
      'name, version and channel': JSON.stringify([name, id, version, channel, home]),
      'packages.drop and packages.unpack': JSON.stringify([lists.drop, lists.unpack]),
      'paths.drop': JSON.stringify(paths.drop),
      'enabled and disabled units': JSON.stringify([enable, disable]),
      'unpacked packages in the lock': digestPackages(lock.unpack),
      'source date': String(lock.sourceDate),
      'update keys': JSON.stringify(updateKeys.map(({name, sha256}) => [name, sha256])),
      'channel keys': JSON.stringify(channelKeys.map(({name, sha256}) => [name, sha256])),
    };
  }

  return {
    name: 'usr',
    title: 'Making /usr',
    needs: ['tools-tree', 'os-tree', 'kernel', 'programs', 'selector'],
    sources: ['build/steps/usr.ts'],
    inputs,
    async run(out, progress, needed) {
      const tree = join(scratchDir, 'usr');
      const programs = needed.get('programs')?.directory ?? '';
      await mkdir(tree);
      progress.note('unpacking the packages');
      await unpackArchive(join(needed.get('os-tree')?.directory ?? '', TREE_FILE), tree, toolbox);
      await fetchPackages(packages, lock.unpack);
      for (const entry of lock.unpack)
        await toolbox.run(['dpkg-deb', '--extract', packagePath(packages, entry), tree]);

      // Everything is taken out before an overlay goes in: what a site adds is never dropped.
      progress.note('pruning');
      for (const name of await dropPackages(tree, definition.packages.drop))
        warn(`packages.drop: no package brings in ${name}`);
      for (const pattern of await dropPaths(tree, definition.paths.drop))
        warn(`paths.drop: nothing matches ${pattern}`);
      await forgetEnablement(tree);
      progress.note('programs, overlays and accounts');
      await installPrograms(tree, programs);
      await installUpdateKeys(tree, updateKeys);
      await installChannelKeys(tree, channelKeys);
      const selector = join(needed.get('selector')?.directory ?? '', SELECTOR_FILE);
      await copyFile(selector, join(tree, 'usr/share/caisson', SELECTOR_FILE));
      await chmod(join(tree, 'usr/share/caisson', SELECTOR_FILE), 0o644);
      for (const overlay of overlays) await applyOverlay(overlay, tree);
      await makeAccounts(tree, overlays, toolbox, lock.sourceDate);
      progress.note('finishing');
      const osRelease = osReleaseOf(definition, lock, {
        ...(await inputs()),
        programs: needed.get('programs')?.digest ?? '',
      });
      await finishTree({tree, definition, osRelease, sourceDate: lock.sourceDate, toolbox});
      await describeState(tree, toolbox);
      for (const script of await findOrphanScripts(tree)) warn(`no interpreter for ${script}`);
      const secrets = await findSecrets(tree);
      if (secrets.length > 0) {
        throw new UsrError(
          'secret-in-image',
          `every host of this release would share ${secrets.join(', ')}`,
          {
            hint: 'take the file out of the overlay or of the package; hosts make their own keys on the first boot',
          },
        );
      }
      await moveEtc(tree, lock.sourceDate);
      await unpackArchive(join(needed.get('kernel')?.directory ?? '', MODULES_FILE), tree, toolbox, [
        './usr',
      ]);

      const sbom = encodeSbom(definition, lock, await readNpmPackages(programs));
      await writeFile(join(tree, 'usr/share/caisson', SBOM_FILE), sbom);
      await writeFile(join(out, SBOM_FILE), sbom);
      await toolbox.run(['cp', join(tree, 'usr/lib/os-release'), join(out, OS_RELEASE_FILE)]);

      progress.note('writing erofs');
      const facts = await makeImage(context, tree, join(out, USR_FILE), progress);
      await writeFile(join(out, USR_FACTS_FILE), JSON.stringify(facts));
      await rm(tree, {recursive: true});
    },
  };
}

async function makeImage(
  {lock, toolbox, scratchDir}: StepContext,
  tree: string,
  image: string,
  progress: Progress,
): Promise<UsrFacts> {
  const {sourceDate} = lock;
  const archive = join(scratchDir, 'usr.tar');
  await archiveTree({tree: join(tree, 'usr'), out: archive, sourceDate, toolbox});
  const uuid = guidFromHex(
    createHash('sha256').update(`caisson /usr ${sourceDate}`).digest('hex').slice(0, 32),
  );
  await toolbox.run([
    'mkfs.erofs',
    '--quiet',
    '-b4096',
    '-x-1',
    `-T${sourceDate}`,
    '-U',
    uuid,
    '--tar=f',
    image,
    archive,
  ]);
  await rm(archive);
  progress.note('hashing for verity');
  return appendVerity(image, {
    salt: createHash('sha256').update(`caisson verity salt ${uuid}`).digest(),
    uuid,
  });
}

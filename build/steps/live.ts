/**
 * What a machine without an installation starts from: the ordinary initrd with a compressed /usr behind it, alone for
 * PXE and iPXE, and in one UKI for UEFI HTTP boot.
 *
 * /usr is a squashfs in zstd here. Measured with one /usr of 824 MB on two processors: squashfs at level 3 takes 3.5 s of
 * processor time and comes to 270 MB (level 6: 8 s and 254 MB; level 9: 13 s and 251 MB); erofs takes 32 s for 278 MB
 * with zstd, 21 s for 332 MB with lz4hc and 1 s for 399 MB with lz4. Rejected as well: the erofs of the slots in a
 * compressed archive, which needs its 834 MB of memory for as long as the host runs.
 */
import {createHash} from 'node:crypto';
import {closeSync, openSync, readSync} from 'node:fs';
import {copyFile, lstat, readFile, readlink, rm, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {type CpioEntry, type CpioStream, encodeCpio} from '../../formats/cpio.ts';
import {guidFromHex} from '../../formats/guid.ts';
import {liveCommandLine} from '../../image/command-line.ts';
import {type VerityFile, appendVerity} from '../../image/verity.ts';
import {fingerprintTree, walkTree, withFile} from '../../platform/files.ts';
import {makeUki} from './boot.ts';
import type {StepContext} from './context.ts';
import {INITRD_FILE} from './initrd.ts';
import type {BuildStep} from './sources.ts';
import {USR_FILE, readUsrFacts} from './usr.ts';

/** squashfs and verity tree. */
export const LIVE_USR_FILE = 'usr.img';
const LIVE_FACTS_FILE = 'usr.json';
export const LIVE_INITRD_FILE = 'live-initrd';
export const LIVE_UKI_FILE = 'live.efi';

/** Where the initrd finds /usr, and what it must be; overlays/live names both. */
const USR_IN_INITRD = 'live/usr.img';
const FACTS_IN_INITRD = 'etc/caisson/live.env';

/** The kernel looks for the next archive at multiples of four bytes; a reader with `dd` likes 512. */
const ARCHIVE_ALIGNMENT_BYTES = 512;
const CHUNK_BYTES = 4 << 20;

export function liveUsrStep({lock, toolbox, scratchDir}: StepContext): BuildStep {
  return {
    name: 'live-usr',
    title: 'Compressing /usr for live hosts',
    needs: ['tools-tree', 'usr'],
    sources: ['build/steps/live.ts'],
    inputs: () => Promise.resolve({'source date': String(lock.sourceDate)}),
    async run(out, progress, needed) {
      const usr = needed.get('usr')?.directory ?? '';
      const facts = await readUsrFacts(usr);
      const tree = join(scratchDir, 'live-usr');
      const image = join(out, LIVE_USR_FILE);
      progress.note('unpacking the image');
      await toolbox.run(['fsck.erofs', `--extract=${tree}`, '--preserve', join(usr, USR_FILE)]);
      progress.note('writing squashfs');
      const time = String(lock.sourceDate);
      await toolbox.run([
        ...(['mksquashfs', tree, image, '-comp', 'zstd', '-Xcompression-level', '3'] as const),
        ...['-mkfs-time', time, '-all-time', time, '-no-xattrs', '-noappend', '-quiet', '-no-progress'],
      ]);
      await rm(tree, {recursive: true});
      progress.note('hashing for verity');
      const seed = createHash('sha256').update(`caisson live /usr ${facts.rootHash}`).digest();
      const live = await appendVerity(image, {
        salt: seed,
        uuid: guidFromHex(seed.subarray(0, 16).toString('hex')),
      });
      await writeFile(join(out, LIVE_FACTS_FILE), JSON.stringify(live));
    },
  };
}

export function liveInitrdStep({lock, rootDir}: StepContext): BuildStep {
  const overlay = join(rootDir, 'overlays/live');
  return {
    name: 'live-initrd',
    title: 'Making the initrd of live hosts',
    needs: ['initrd', 'live-usr'],
    sources: ['build/steps/live.ts'],
    async inputs() {
      const files = Object.entries(await fingerprintTree(overlay)).filter(
        ([, print]) => print !== 'directory',
      );
      return {
        ...Object.fromEntries(files.map(([path, print]) => [`overlays/live/${path}`, print])),
        'source date': String(lock.sourceDate),
      };
    },
    async run(out, _progress, needed) {
      const usr = needed.get('live-usr')?.directory ?? '';
      const facts = JSON.parse(await readFile(join(usr, LIVE_FACTS_FILE), 'utf8')) as VerityFile;
      const entries: CpioEntry[] = [
        fileEntry(
          FACTS_IN_INITRD,
          Buffer.from(`USR_ROOT_HASH=${facts.rootHash}\nUSR_HASH_OFFSET=${facts.hashOffset}\n`),
        ),
        fileEntry(USR_IN_INITRD, await streamFile(join(usr, LIVE_USR_FILE))),
      ];
      for (const {path, kind} of await walkTree(overlay))
        if (kind !== 'directory') entries.push(await overlayEntry(overlay, path));

      const target = join(out, LIVE_INITRD_FILE);
      await copyFile(join(needed.get('initrd')?.directory ?? '', INITRD_FILE), target);
      const {size} = await stat(target);
      // Not compressed once more: the kernel would need memory and time for nothing.
      await withFile(target, 'r+', async (file) => {
        let at = Math.ceil(size / ARCHIVE_ALIGNMENT_BYTES) * ARCHIVE_ALIGNMENT_BYTES;
        for (const chunk of encodeCpio(entries, {mtime: lock.sourceDate})) {
          await file.write(chunk, 0, chunk.length, at);
          at += chunk.length;
        }
        await file.sync();
      });
    },
  };
}

export function liveUkiStep({definition, lock, toolbox}: StepContext): BuildStep {
  return {
    name: 'live-uki',
    title: 'Making the UKI of live hosts',
    needs: ['tools-tree', 'usr', 'kernel', 'live-initrd'],
    sources: ['build/steps/live.ts'],
    inputs: () =>
      Promise.resolve({
        'kernel.arguments': JSON.stringify(definition.kernel.arguments),
        'source date': String(lock.sourceDate),
      }),
    async run(out, _progress, needed) {
      await makeUki({
        toolbox,
        needed,
        sourceDate: lock.sourceDate,
        initrd: join(needed.get('live-initrd')?.directory ?? '', LIVE_INITRD_FILE),
        commandLine: liveCommandLine(definition.kernel.arguments),
        out: join(out, LIVE_UKI_FILE),
      });
    },
  };
}

function fileEntry(path: string, data: Uint8Array | CpioStream): CpioEntry {
  return {path, kind: 'file', mode: 0o644, data};
}

async function overlayEntry(root: string, path: string): Promise<CpioEntry> {
  const full = join(root, path);
  if ((await lstat(full)).isSymbolicLink()) return {path, kind: 'symlink', target: await readlink(full)};
  return fileEntry(path, await readFile(full));
}

async function streamFile(path: string): Promise<CpioStream> {
  return {size: (await stat(path)).size, chunks: () => readChunks(path)};
}

function* readChunks(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = readSync(file, chunk);
      if (count === 0) return;
      yield chunk.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}

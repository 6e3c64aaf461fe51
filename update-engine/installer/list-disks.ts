/**
 * The disks of this machine and what uses them, as sysfs and the kernel's lists of mounts and swaps tell it. Nothing on
 * the disks themselves is looked at; nobody but the kernel knows what is in use.
 */
import {readFile, readdir, realpath} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {type Mount, parseMounts} from '../slots/mounts.ts';

export interface DiskUse {
  /** One phrase, such as `sda2 is mounted on /var`. */
  readonly text: string;
  /** The running system lies on it. */
  readonly isSystem: boolean;
}

export interface ListedDisk {
  readonly path: string;
  readonly bytes: number;
  readonly model: string;
  readonly serial: string;
  readonly sectorSize: number;
  readonly isRemovable: boolean;
  readonly isReadOnly: boolean;
  readonly partitions: number;
  readonly uses: readonly DiskUse[];
}

/** Where the kernel shows itself; tests have their own. */
export interface DiskRoots {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
}

export const HOST_ROOTS: DiskRoots = {sys: '/sys', proc: '/proc', dev: '/dev'};

/** No disks, though they are block devices: memory, loops, mappings, arrays, floppies, optical drives, boot partitions. */
const NO_DISK = /^(loop|ram|zram|dm-|md|fd|sr|nbd|mmcblk\d+(boot|rpmb))/;
/** What runs from a disk with one of these mounted. */
const SYSTEM_PATHS = ['/', '/usr', '/boot', '/efi', '/boot/efi', '/sysroot'];
/** Mappings upon mappings; the kernel allows no more than a few. */
const MAX_DEPTH = 16;

interface Uses {
  readonly mounts: readonly Mount[];
  /** Device nodes. */
  readonly swaps: readonly string[];
  /** PARTUUID of the partition that the firmware started from; empty when nobody knows. */
  readonly startedFrom: string;
}

/** Sorted by path. Throws what reading sysfs throws. */
export async function listDisks(roots: DiskRoots): Promise<ListedDisk[]> {
  const names = (await readdir(join(roots.sys, 'block'))).filter((name) => !NO_DISK.test(name)).sort();
  const uses = await readUses(roots);
  const disks = await Promise.all(names.map((name) => readDisk(roots, name, uses)));
  return disks.filter((disk) => disk !== null);
}

/** The disk that a path leads to, by links too; undefined when it is none of them. */
export async function findDisk(disks: readonly ListedDisk[], path: string): Promise<ListedDisk | undefined> {
  const real = await realpath(path).catch(() => path);
  return disks.find((disk) => disk.path === real);
}

async function readUses({proc, sys}: DiskRoots): Promise<Uses> {
  const text = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const swaps = (await text(join(proc, 'swaps'))).split('\n').slice(1);
  const variable = await readFile(join(sys, 'firmware/efi/efivars', LOADER_VARIABLE)).catch(() => null);
  return {
    mounts: parseMounts(await text(join(proc, 'self/mountinfo'))),
    swaps: swaps.flatMap((line) => line.split(/\s/)[0] || []),
    // Four bytes of attributes, then UTF-16 with a terminator.
    startedFrom: variable?.toString('utf16le', 4).replaceAll('\0', '').toLowerCase() ?? '',
  };
}

/** The Boot Loader Interface of systemd: its UKI stub writes it. */
const LOADER_VARIABLE = 'LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

async function readDisk(roots: DiskRoots, name: string, uses: Uses): Promise<ListedDisk | null> {
  const folder = await realpath(join(roots.sys, 'block', name));
  const text = async (path: string): Promise<string> =>
    (await readFile(join(folder, path), 'utf8').catch(() => '')).replaceAll('\0', '').trim();
  const bytes = Number(await text('size')) * 512;
  // A path of a disk that has several is hidden: it has no number.
  if (!(bytes > 0) || (await text('dev')) === '') return null;
  const partitions: string[] = [];
  for (const entry of await readdir(folder))
    if (
      entry.startsWith(name) &&
      (await readFile(join(folder, entry, 'partition')).catch(() => null)) !== null
    )
      partitions.push(entry);
  const found: DiskUse[] = [];
  for (const part of ['', ...partitions.sort()])
    found.push(...(await usesOf(roots, join(folder, part), uses)));
  return {
    path: join(roots.dev, await nodeOf(folder)),
    bytes,
    model: [await text('device/vendor'), await text('device/model')]
      .filter((word) => !/^(0x[\da-f]{4}|ATA|)$/i.test(word))
      .join(' '),
    serial: (await text('device/serial')) || (await text('serial')),
    sectorSize: Number(await text('queue/logical_block_size')) || 512,
    isRemovable: (await text('removable')) === '1',
    isReadOnly: (await text('ro')) === '1',
    partitions: partitions.length,
    uses: found,
  };
}

async function usesOf(roots: DiskRoots, folder: string, uses: Uses, depth = 0): Promise<DiskUse[]> {
  const node = join(roots.dev, await nodeOf(folder));
  const name = basename(node);
  const number = (await readFile(join(folder, 'dev'), 'utf8').catch(() => '')).trim();
  const found: DiskUse[] = uses.mounts
    // A file system on several disks has a number of its own, but names one of them.
    .filter(({device, source}) => device === number || source === node)
    .map(({path}) => ({text: `${name} is mounted on ${path}`, isSystem: SYSTEM_PATHS.includes(path)}));
  if (uses.swaps.includes(node)) found.push({text: `${name} is swap`, isSystem: false});
  const uevent = await readFile(join(folder, 'uevent'), 'utf8').catch(() => '');
  const partUuid = /^PARTUUID=(.+)$/m.exec(uevent)?.[1]?.toLowerCase();
  if (partUuid !== undefined && partUuid === uses.startedFrom)
    found.push({text: `the machine was started from ${name}`, isSystem: true});
  if (depth >= MAX_DEPTH) return found;
  for (const holder of await readdir(join(folder, 'holders')).catch(() => [])) {
    const above = await realpath(join(folder, 'holders', holder)).catch(() => null);
    if (above === null) continue;
    const inner = await usesOf(roots, above, uses, depth + 1);
    found.push(
      {
        text: `${name} is part of ${await describeHolder(above)}`,
        isSystem: inner.some(({isSystem}) => isSystem),
      },
      ...inner,
    );
  }
  return found;
}

/** `LVM volume vg-root`, `array md0`, `mapping usr`. */
async function describeHolder(folder: string): Promise<string> {
  const text = async (path: string): Promise<string> =>
    (await readFile(join(folder, path), 'utf8').catch(() => '')).trim();
  const name = await text('dm/name');
  if (name === '') return `${basename(folder).startsWith('md') ? 'array ' : ''}${basename(folder)}`;
  const uuid = await text('dm/uuid');
  if (uuid.startsWith('LVM-')) return `LVM volume ${name}`;
  return `${/^CRYPT-(?!VERITY)/.test(uuid) ? 'encrypted volume' : 'mapping'} ${name}`;
}

/** The node in /dev, which may lie in a folder. */
async function nodeOf(folder: string): Promise<string> {
  const uevent = await readFile(join(folder, 'uevent'), 'utf8').catch(() => '');
  return /^DEVNAME=(.+)$/m.exec(uevent)?.[1] ?? basename(folder);
}

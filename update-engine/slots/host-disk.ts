/**
 * The disk that this host runs from, found by following /usr downwards: its mount is a verity device, whose slave is a
 * partition, whose parent is the disk. Only sysfs is asked, so that the names of virtio, SATA, NVMe and MMC disks need
 * not be known; the kernel is the one who knows what /usr really lies on.
 *
 * Rejected: looking for partition labels. Another disk of the same kind in the machine would match as well.
 */
import {readFile, readdir, realpath, stat} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {type SlotLetter, readSlots} from '../../formats/gpt/slots.ts';
import {readGpt, withGptDisk} from '../../platform/gpt-disk.ts';
import {SlotError} from './errors.ts';
import {parseMounts} from './mounts.ts';
import {type SlotDisk, type SlotPartition, findPartition} from './slot-disk.ts';
import {type TargetPlace, readDeviceBytes, withTarget} from './target.ts';

export interface HostDisk extends SlotDisk {
  /** The slot that runs now. */
  readonly active: SlotLetter;
  /** The other. */
  readonly idle: SlotLetter;
}

/** Where the kernel shows itself; tests have their own. */
export interface HostRoots {
  mountinfo: string;
  sys: string;
  dev: string;
}

const HOST_ROOTS: HostRoots = {mountinfo: '/proc/self/mountinfo', sys: '/sys', dev: '/dev'};

/** Throws SlotError 'no-slot' when /usr does not come from a slot, with the reason; 'bad-disk' for an odd disk. */
export async function findHostDisk(roots: HostRoots = HOST_ROOTS): Promise<HostDisk> {
  const partition = await findUsrPartition(roots);
  const diskFolder = dirname(partition.folder);
  const path = join(roots.dev, await deviceName(diskFolder));
  const {table} = await withGptDisk(path, {}, readGpt);
  const number = await readNumber(join(partition.folder, 'partition'));
  const slots = readSlots(table);
  const active = slots.find(({index}) => index === number - 1);
  if (active === undefined) {
    throw new SlotError(
      'no-slot',
      `/usr lies on partition ${number} of ${path}, which is not labelled as a slot`,
    );
  }
  const idle = slots.find(({letter}) => letter !== active.letter);
  if (idle === undefined) throw new SlotError('bad-disk', `${path} has no slot besides ${active.label}`);
  return {
    path,
    active: active.letter,
    idle: idle.letter,
    useTable: (mode, use) => withGptDisk(path, {write: mode === 'write'}, use),
    usePartition: async (which, mode, use) =>
      withTarget(await findPlace(roots, path, diskFolder, which), mode, use),
  };
}

async function findUsrPartition({mountinfo, sys}: HostRoots): Promise<{folder: string}> {
  const mount = parseMounts(await readFile(mountinfo, 'utf8')).findLast(({path}) => path === '/usr');
  if (mount === undefined) throw noSlot('/usr is not a mount of its own');
  const device = await follow(join(sys, 'dev/block', mount.device));
  if (device === undefined)
    throw noSlot(`/usr is ${mount.fileSystem} from ${mount.source}, which is no block device`);
  if (!(await exists(join(device, 'dm')))) {
    throw noSlot(`/usr is mounted from ${basename(device)}, which is not a verity device`);
  }
  const slaves = await readdir(join(device, 'slaves'));
  const [slave, second] = slaves;
  if (slave === undefined || second !== undefined) {
    throw noSlot(
      `/usr is mapped onto ${slaves.length} devices (${slaves.join(', ')}), not onto one partition`,
    );
  }
  const folder = await follow(join(device, 'slaves', slave));
  if (folder === undefined || !(await exists(join(folder, 'partition'))))
    throw noSlot(`/usr lies on ${slave}, which is not a partition`);
  return {folder};
}

/** The device of a partition by its number: the table says which number, sysfs what the kernel calls it. */
async function findPlace(
  {dev}: HostRoots,
  diskPath: string,
  diskFolder: string,
  which: SlotPartition,
): Promise<TargetPlace> {
  const {table} = await withGptDisk(diskPath, {}, readGpt);
  const {index, entry} = findPartition(table, which);
  for (const name of await readdir(diskFolder)) {
    const folder = join(diskFolder, name);
    if (!(await exists(join(folder, 'partition')))) continue;
    if ((await readNumber(join(folder, 'partition'))) !== index + 1) continue;
    const bytes = await readDeviceBytes(folder);
    const start = (await readNumber(join(folder, 'start'))) * 512;
    const wanted = Number(entry.lastLba - entry.firstLba + 1n) * table.sectorSize;
    // Somebody has changed the table since the kernel read it: its device is then not the partition.
    if (start !== Number(entry.firstLba) * table.sectorSize || bytes !== wanted) {
      throw new SlotError(
        'bad-disk',
        `the kernel has partition ${index + 1} of ${diskPath} at byte ${start} with ${bytes} bytes, the table at ` +
          `${Number(entry.firstLba) * table.sectorSize} with ${wanted}`,
        {hint: 'restart the machine, so that the kernel reads the partition table'},
      );
    }
    return {path: join(dev, await deviceName(folder)), bytes};
  }
  throw new SlotError('bad-disk', `the kernel knows no partition ${index + 1} of ${diskPath}`);
}

/** The node in /dev, which may lie in a folder. */
async function deviceName(folder: string): Promise<string> {
  const uevent = await readFile(join(folder, 'uevent'), 'utf8');
  const [, name] = /^DEVNAME=(.+)$/m.exec(uevent) ?? [];
  if (name === undefined) throw new SlotError('bad-disk', `${folder} has no device`);
  return name;
}

async function readNumber(path: string): Promise<number> {
  const text = (await readFile(path, 'utf8')).trim();
  if (!/^\d{1,15}$/.test(text)) throw new SlotError('bad-disk', `${path} holds ${JSON.stringify(text)}`);
  return Number(text);
}

async function follow(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function noSlot(why: string): SlotError {
  return new SlotError('no-slot', `this system does not run from a slot: ${why}`, {
    hint: 'systems started over the network or in a container are updated by starting another image',
  });
}

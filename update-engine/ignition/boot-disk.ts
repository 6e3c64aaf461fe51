/**
 * Keeps a config away from the disk that the host runs from. Ignition would zero its table with `wipeTable`, or make a
 * file system over a slot: the partitions of that disk are the release's, and ROOT takes the rest of it.
 */
import {readFile, readdir, realpath} from 'node:fs/promises';
import {basename, dirname} from 'node:path';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {devicesOf} from '../../formats/ignition/limits.ts';
import {type FirstBootHost, at} from './host.ts';

/** `rootDevice` is the number of the device that ROOT lies on, as `major:minor`. Throws IgnitionError. */
export async function protectBootDisk(
  config: unknown,
  rootDevice: string,
  host: Pick<FirstBootHost, 'root'>,
): Promise<void> {
  const own = await diskOfNumber(rootDevice, host);
  // ROOT in memory: no disk to protect.
  if (own === null) return;
  for (const {path, device} of devicesOf(config)) {
    const name = await nameOf(device, host);
    if (name === null || (await diskOfName(name, host)) !== own) continue;
    throw new IgnitionError(
      'bad-config',
      `${path}: ${device} is on ${own}, the disk that this host runs from`,
      {hint: 'its partitions belong to the release; use another disk, or a directory of ROOT'},
    );
  }
}

/** Devices that are not there yet are made by the config. */
async function nameOf(device: string, host: Pick<FirstBootHost, 'root'>): Promise<string | null> {
  try {
    return basename(await realpath(at(host, device)));
  } catch {
    return null;
  }
}

async function diskOfNumber(number: string, host: Pick<FirstBootHost, 'root'>): Promise<string | null> {
  try {
    return await diskOfPath(await realpath(at(host, `/sys/dev/block/${number}`)), host);
  } catch {
    return null;
  }
}

async function diskOfName(name: string, host: Pick<FirstBootHost, 'root'>): Promise<string | null> {
  try {
    return await diskOfPath(await realpath(at(host, `/sys/class/block/${name}`)), host);
  } catch {
    return null;
  }
}

/** A mapped device (verity, LVM) lies on what its `slaves` are; a partition's directory is in that of its disk. */
async function diskOfPath(path: string, host: Pick<FirstBootHost, 'root'>): Promise<string> {
  const [below] = await readdir(`${path}/slaves`).catch(() => []);
  if (below !== undefined) return (await diskOfName(below, host)) ?? below;
  const isPartition = (await readFile(`${path}/partition`, 'utf8').catch(() => '')) !== '';
  return basename(isPartition ? dirname(path) : path);
}

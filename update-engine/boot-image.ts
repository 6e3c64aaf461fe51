/**
 * A host that runs from its boot image instead of a slot: started over the network or from removable media, with /usr in
 * memory. The image's initrd says so with a file below /run; to guess it from mounts was rejected, because containers
 * and test systems have no slots either.
 */
import {statfs} from 'node:fs/promises';
import {pathExists} from '../platform/files.ts';
import {LIVE_MARKER, SLOT_MARKERS} from './paths.ts';

export interface BootImage {
  /** ROOT is in memory: nothing that this boot writes is there after the next. */
  readonly forgets: boolean;
  /** Whether the health checks of this boot have passed. */
  isGood(): Promise<boolean>;
}

/** TMPFS_MAGIC of linux/magic.h. */
const TMPFS_TYPE = 0x0102_1994;

export function isLive(): Promise<boolean> {
  return pathExists(LIVE_MARKER);
}

/** Undefined on a host that runs from a disk. */
export async function findBootImage(): Promise<BootImage | undefined> {
  if (!(await isLive())) return undefined;
  return {
    forgets: (await statfs('/')).type === TMPFS_TYPE,
    isGood: () => pathExists(SLOT_MARKERS.good),
  };
}

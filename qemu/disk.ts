/** Disk files for machines. What a machine writes goes to an overlay, so that a release's image stays as built. */
import {rename} from 'node:fs/promises';
import {resolve} from 'node:path';
import {exec} from '../platform/exec.ts';
import type {DiskSpec} from './machine-spec.ts';

export interface BaseImage {
  path: string;
  format: DiskSpec['format'];
}

/**
 * Makes a qcow2 file that reads as `base` until written to. `sizeBytes` may be larger than the base (the guest then
 * sees a disk that has grown), default the same. Throws ExecError.
 */
export async function createOverlay(path: string, base: BaseImage, sizeBytes?: number): Promise<void> {
  await exec([
    ...(['qemu-img', 'create', '-q', '-f', 'qcow2'] as const),
    // Relative names would be taken as relative to the overlay.
    ...['-F', base.format, '-b', resolve(base.path)],
    path,
    ...(sizeBytes === undefined ? [] : [String(sizeBytes)]),
  ]);
}

/** Makes a qcow2 copy of `base` that stands alone, larger when `sizeBytes` is. Throws ExecError. */
export async function createCopy(path: string, base: BaseImage, sizeBytes: number): Promise<void> {
  const temporary = `${path}.part`;
  await exec(['qemu-img', 'convert', '-f', base.format, '-O', 'qcow2', resolve(base.path), temporary]);
  await exec(['qemu-img', 'resize', '-q', '-f', 'qcow2', temporary, String(sizeBytes)]);
  await rename(temporary, path);
}

/** Makes an empty disk, for installers. Throws ExecError. */
export async function createEmptyDisk(
  path: string,
  format: DiskSpec['format'],
  sizeBytes: number,
): Promise<void> {
  await exec(['qemu-img', 'create', '-q', '-f', format, path, String(sizeBytes)]);
}

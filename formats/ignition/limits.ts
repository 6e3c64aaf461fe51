/**
 * What a valid config may ask that this system does not do. Said before anything was changed: Ignition would find out
 * in the middle ("exec: mdadm: not found"), with half of the host configured.
 */
import {isObject} from './read-config.ts';

export interface Refusal {
  /** Where in the config. */
  readonly path: readonly (string | number)[];
  readonly text: string;
}

const FORMATS = ['ext4', 'vfat', 'swap', 'none'];

/** `value` is a config as JSON, of any version 3; what is malformed is left to others. */
export function refusalsOf(value: unknown): Refusal[] {
  const storage = member(value, 'storage');
  const refusals: Refusal[] = [];
  if (items(storage, 'raid').length > 0)
    refusals.push({path: ['storage', 'raid'], text: 'storage.raid: this system has no mdadm'});
  if (items(storage, 'luks').length > 0)
    refusals.push({
      path: ['storage', 'luks'],
      text: 'storage.luks: encrypted volumes are not set up by Ignition here',
    });
  const kernel = member(value, 'kernelArguments');
  if (items(kernel, 'shouldExist').length > 0 || items(kernel, 'shouldNotExist').length > 0)
    refusals.push({
      path: ['kernelArguments'],
      text: 'kernelArguments: the command line is part of a signed file; use an addon, see docs/kernel-arguments.md',
    });
  for (const [index, each] of items(storage, 'filesystems').entries()) {
    const format = member(each, 'format');
    if (typeof format !== 'string' || FORMATS.includes(format)) continue;
    refusals.push({
      path: ['storage', 'filesystems', index, 'format'],
      text: `storage.filesystems[${index}].format: ${JSON.stringify(format.slice(0, 40))} is not one of ${FORMATS.join(', ')}`,
    });
  }
  return refusals;
}

/** Devices whose content a config changes: whole disks, and file systems that are made or used. */
export function devicesOf(value: unknown): {path: string; device: string}[] {
  const storage = member(value, 'storage');
  return ['disks', 'filesystems'].flatMap((list) =>
    items(storage, list).flatMap((each, index) => {
      const device = member(each, 'device');
      return typeof device === 'string' ? [{path: `storage.${list}[${index}]`, device}] : [];
    }),
  );
}

/** What Ignition refuses to make when it is there already. */
export function filePathsOf(value: unknown): string[] {
  const storage = member(value, 'storage');
  const paths = ['files', 'links'].flatMap((list) =>
    items(storage, list).map((each) => member(each, 'path')),
  );
  return paths.filter((path) => typeof path === 'string' && path.startsWith('/')) as string[];
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function items(value: unknown, key: string): readonly unknown[] {
  const list = member(value, key);
  return Array.isArray(list) ? list : [];
}

/** Who has a block device, so that an error can say it: mounts by mountinfo, mappings by sysfs. */
import {readFile, readdir, stat} from 'node:fs/promises';
import {parseMounts} from './mounts.ts';

/** For example `mounted on /boot`, `mapped by dm-0`; empty when nobody was found. */
export async function holdersOf(devicePath: string): Promise<string[]> {
  const {rdev} = await stat(devicePath, {bigint: true});
  const number = deviceNumber(rdev);
  const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
  const mapped = await readdir(`/sys/dev/block/${number}/holders`).catch(() => []);
  return [
    ...mounts.filter(({device}) => device === number).map(({path}) => `mounted on ${path}`),
    ...mapped.map((name) => `mapped by ${name}`),
  ];
}

/** `MAJOR:MINOR`, from the kernel's packing of both (makedev(3)). */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

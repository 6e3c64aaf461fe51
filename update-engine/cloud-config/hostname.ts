/** The host's name: the file that systemd reads at boot, and the kernel's own for the time until then. */
import {readFile, writeFile} from 'node:fs/promises';
import {writeFileAtomic} from '../../platform/files.ts';
import {type CloudHost, onHost} from './host.ts';

const FILE = '/etc/hostname';
const KERNEL = '/proc/sys/kernel/hostname';

/** What the kernel says; it counts for the programs that run. */
export async function readHostname(host: CloudHost): Promise<string> {
  for (const path of [KERNEL, FILE]) {
    const name = (await readFile(onHost(host, path), 'utf8').catch(() => '')).trim();
    if (name !== '') return name;
  }
  return 'localhost';
}

export function decideHostname(
  from: string,
  to: string | null,
): {readonly kind: 'set-hostname'; readonly from: string; readonly to: string} | null {
  return to === null || to === from ? null : {kind: 'set-hostname', from, to};
}

export async function performHostname(host: CloudHost, name: string): Promise<void> {
  await writeFileAtomic(onHost(host, FILE), `${name}\n`);
  await writeFile(onHost(host, KERNEL), name);
}

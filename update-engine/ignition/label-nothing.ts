/**
 * Debian's Ignition is built for systems with SELinux: it reads the name of a policy and calls setfiles(8), and fails
 * without them. For the time of its work there is a policy by the name of none, and a setfiles that does nothing
 * (usr/libexec/caisson/ignition-programs).
 */
import {mkdir, rm, writeFile} from 'node:fs/promises';
import {pathExists} from '../../platform/files.ts';
import {type FirstBootHost, at} from './host.ts';

const FOLDER = '/etc/selinux';

export async function labellingNothing(
  host: Pick<FirstBootHost, 'root'>,
  work: () => Promise<void>,
): Promise<void> {
  const folder = at(host, FOLDER);
  // A site may have a policy of its own.
  if (await pathExists(folder)) return work();
  await mkdir(folder);
  await writeFile(`${folder}/config`, 'SELINUX=disabled\nSELINUXTYPE=none\n');
  await work();
  // Not after a failure: what is on ROOT goes as a whole then.
  await rm(folder, {recursive: true});
}

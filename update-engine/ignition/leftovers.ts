/**
 * Files that a first boot writes outside ROOT, on disks of their own. When it is cut short, ROOT is emptied and the next
 * boot begins anew; such disks are not, because they may hold what somebody wants to keep, and Ignition would refuse a
 * file that is there already. So the names of what was not there before are written down before anything is made, and
 * taken away before the next try. Rejected: `overwrite` for all files of a second try, which would write over files that
 * were there before the first.
 */
import {lstat, readFile, rm} from 'node:fs/promises';
import {filePathsOf} from '../../formats/ignition/limits.ts';
import {pathExists, writeFileAtomic} from '../../platform/files.ts';
import {type FirstBootHost, at} from './host.ts';
import {IGNITION_PATHS} from './paths.ts';

/** With the config's file systems mounted. */
export async function removeLeftovers(host: FirstBootHost): Promise<void> {
  const note = at(host, IGNITION_PATHS.ours);
  if (!(await pathExists(note))) return;
  for (const path of JSON.parse(await readFile(note, 'utf8')) as readonly string[]) {
    host.note(`from the first boot that was cut short: removing ${path}`);
    await rm(onTarget(host, path), {force: true});
  }
}

/** What the config will make and is not there yet; what was noted by an earlier try is gone by now. */
export async function noteWhatIsNew(config: unknown, host: FirstBootHost): Promise<void> {
  const fresh: string[] = [];
  for (const path of filePathsOf(config)) {
    const isThere = await lstat(onTarget(host, path)).then(
      () => true,
      () => false,
    );
    if (!isThere) fresh.push(path);
  }
  await writeFileAtomic(at(host, IGNITION_PATHS.ours), JSON.stringify(fresh), 0o600);
}

function onTarget(host: FirstBootHost, path: string): string {
  return `${at(host, IGNITION_PATHS.target)}${path}`;
}

/**
 * A file that is there while a reboot is needed, for those who drive reboots themselves: kured looks for
 * /run/reboot-required, which tmpfiles.d makes a link to it. In a folder that goes with every start.
 */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import type {Journal} from '../../platform/journal.ts';

/** `version` is what the reboot leads to; null takes the file away. A file system in memory: there is nothing to wait for. */
export function markReboot(path: string, version: string | null, journal: Journal): void {
  try {
    if (version === null) return rmSync(path, {force: true});
    mkdirSync(dirname(path), {recursive: true, mode: 0o755});
    writeFileSync(path, `${version} starts with the next reboot\n`);
  } catch (error) {
    journal.warn(
      `no mark that a reboot is needed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

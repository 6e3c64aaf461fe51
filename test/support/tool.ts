import {access, constants} from 'node:fs/promises';
import {delimiter, join} from 'node:path';

/**
 * The `skip` option for a suite that needs commands: false when all are on PATH, else what is missing and where to
 * get it, so that a skipped oracle is visible in the report instead of counting as passed.
 */
export async function skipWithout(
  commands: readonly string[],
  debianPackage: string,
): Promise<string | false> {
  const missing: string[] = [];
  for (const command of commands) if (!(await isOnPath(command))) missing.push(command);
  return missing.length > 0 && `needs ${missing.join(', ')} (Debian package ${debianPackage})`;
}

async function isOnPath(command: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of folders) {
    const isThere = await access(join(folder, command), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

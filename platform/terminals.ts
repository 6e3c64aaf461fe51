/**
 * The pseudo terminals of this host, and words on terminals.
 *
 * Rejected: wall(1). It finds terminals in utmp or in what logind knows, and neither is told of those of sshd on a host
 * of today.
 */
import {constants} from 'node:fs';
import {open, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {Terminal} from '../formats/logind.ts';

const PSEUDO_TERMINALS = '/dev/pts';

export async function pseudoTerminals(folder = PSEUDO_TERMINALS): Promise<readonly Terminal[]> {
  const found: Terminal[] = [];
  for (const name of await readdir(folder)) {
    if (!/^\d{1,9}$/.test(name)) continue;
    const path = join(folder, name);
    // It may be closed between the two.
    const info = await stat(path).catch(() => null);
    if (info !== null) found.push({path, uid: info.uid});
  }
  return found;
}

/**
 * Writes to a terminal, without ever becoming its owner and without waiting for one that takes nothing (Ctrl-S). False
 * when it did not take the text.
 */
export async function tellTerminal(path: string, text: string): Promise<boolean> {
  const {O_WRONLY, O_NOCTTY, O_NONBLOCK} = constants;
  try {
    const file = await open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    try {
      if (!(await file.stat()).isCharacterDevice()) return false;
      // Programs may have switched the terminal to take lines as they are.
      const bytes = Buffer.from(text.replaceAll('\n', '\r\n'), 'utf8');
      return (await file.write(bytes)).bytesWritten === bytes.length;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

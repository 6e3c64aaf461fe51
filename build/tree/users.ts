/**
 * Accounts of the image come from sysusers.d and have fixed numbers. A number that Debian hands out in the order of
 * installation would change from release to release, and files on ROOT would change owner with it.
 */
import {readFile, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {pathExists} from '../../platform/files.ts';
import type {Toolbox} from '../toolbox.ts';
import type {OverlaySource} from './overlay.ts';

export class UsersError extends CodedError<'number-not-fixed'> {}

const SYSUSERS = 'usr/lib/sysusers.d';

/** All sysusers.d lines of the overlays, in the order systemd reads them. */
export async function readUserLines(overlays: readonly OverlaySource[]): Promise<string> {
  const files = new Map<string, string>();
  for (const {directory} of overlays) {
    const home = join(directory, SYSUSERS);
    if (!(await pathExists(home))) continue;
    for (const name of await readdir(home)) files.set(name, await readFile(join(home, name), 'utf8'));
  }
  return [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join('\n');
}

/**
 * Makes the account files of the tree anew from sysusers.d alone, and refuses accounts that a package made without a
 * declared number.
 */
export async function makeAccounts(
  tree: string,
  overlays: readonly OverlaySource[],
  toolbox: Toolbox,
  sourceDate: number,
): Promise<void> {
  const before = await readAccounts(tree);
  for (const name of ['passwd', 'group', 'shadow', 'gshadow']) {
    await toolbox.run(['rm', '-f', join(tree, 'etc', name), join(tree, 'etc', `${name}-`)]);
  }
  await toolbox.run(['systemd-sysusers', `--root=${tree}`], {env: {SOURCE_DATE_EPOCH: String(sourceDate)}});
  await toolbox.run(['rm', '-f', join(tree, 'etc/.pwd.lock')]);
  const declared = await declaredNumbers(tree, overlays);
  for (const [account, number] of new Map([...before, ...(await readAccounts(tree))])) {
    const [kind, name] = account.split(' ') as [string, string];
    if (number >= FIRST_DYNAMIC && number < FIRST_HUMAN && declared.get(account) !== number) {
      throw new UsersError(
        'number-not-fixed',
        `${kind} ${name} got the number ${number}, which the next release may give to another`,
        {
          hint: `declare it in ${SYSUSERS} of the overlay, for example: ${kind === 'user' ? `u! ${name} ${number} - -` : `g ${name} ${number}`}`,
        },
      );
    }
  }
}

/** Debian's base accounts lie below 100 and are fixed by policy; people start at 1000. */
const FIRST_DYNAMIC = 100;
const FIRST_HUMAN = 1000;

/** `user NAME` and `group NAME` to number. */
async function readAccounts(tree: string): Promise<Map<string, number>> {
  const accounts = new Map<string, number>();
  for (const [kind, file] of [
    ['user', 'passwd'],
    ['group', 'group'],
  ] as const) {
    for (const line of (await readFile(join(tree, 'etc', file), 'utf8')).split('\n')) {
      const [name, , number] = line.split(':');
      if (name !== undefined && number !== undefined) accounts.set(`${kind} ${name}`, Number(number));
    }
  }
  return accounts;
}

async function declaredNumbers(
  tree: string,
  overlays: readonly OverlaySource[],
): Promise<Map<string, number>> {
  const fixed = await readFile(join(tree, SYSUSERS, 'basic.conf'), 'utf8');
  const numbers = new Map<string, number>();
  for (const line of `${fixed}\n${await readUserLines(overlays)}`.split('\n')) {
    const match = /^([ug])!?\s+(\S+)\s+(\d+)(?::(\d+))?(?:\s|$)/.exec(line);
    if (match === null) continue;
    const [, kind, name, own, group] = match;
    if (kind === 'u') numbers.set(`user ${name}`, Number(own));
    // A user line without a group of its own makes a group of the same name and number.
    if (kind === 'g' || group === undefined) numbers.set(`group ${name}`, Number(own));
  }
  return numbers;
}

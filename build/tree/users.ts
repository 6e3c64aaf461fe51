/**
 * Accounts of the image come from sysusers.d and have fixed numbers. A number that Debian hands out in the order of
 * installation would change from release to release, and files on ROOT would change owner with it.
 */
import {readFile, readdir, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {CodedError} from '../../formats/errors.ts';
import {type SysusersRecord, SystemdListError, fixedNumbers, parseSysusers} from '../../formats/sysusers.ts';
import {pathExists} from '../../platform/files.ts';
import type {Toolbox} from '../toolbox.ts';
import type {OverlaySource} from './overlay.ts';

export class UsersError extends CodedError<'bad-list' | 'number-not-fixed'> {}

const SYSUSERS = 'usr/lib/sysusers.d';

/**
 * All sysusers.d lines of the overlays, in the order systemd reads them. Throws UsersError 'bad-list' naming the file
 * and the line: systemd would only warn, in the middle of a bootstrap.
 */
export async function readUserLines(overlays: readonly OverlaySource[]): Promise<string> {
  const texts = await readLists(overlays);
  for (const {path, text} of texts) parseList(path, text);
  return texts.map(({text}) => text).join('\n');
}

/** The later overlay's file takes the place of an earlier one's of the same name. */
async function readLists(overlays: readonly OverlaySource[]): Promise<{path: string; text: string}[]> {
  const files = new Map<string, string>();
  for (const {directory} of overlays) {
    const home = join(directory, SYSUSERS);
    if (!(await pathExists(home))) continue;
    for (const name of await readdir(home)) if (name.endsWith('.conf')) files.set(name, join(home, name));
  }
  const ordered = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all(ordered.map(async ([, path]) => ({path, text: await readFile(path, 'utf8')})));
}

function parseList(path: string, text: string): SysusersRecord[] {
  try {
    return parseSysusers(text);
  } catch (error) {
    if (!(error instanceof SystemdListError)) throw error;
    throw new UsersError('bad-list', `${path}: ${error.message}`, {cause: error});
  }
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
  await dropRepeatedLines(tree, overlays);
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

/**
 * Takes the lines out of the lists of packages whose accounts an overlay declares, with the number that they lack:
 * systemd-sysusers, which runs at every boot, would warn about each of them. Lists that we cannot read stay as they are.
 */
async function dropRepeatedLines(tree: string, overlays: readonly OverlaySource[]): Promise<void> {
  const keyOf = (record: SysusersRecord): string | null =>
    record.type === 'user' || record.type === 'group' ? `${record.type} ${record.name}` : null;
  const lists = await readLists(overlays);
  const ours = new Set(lists.flatMap(({path, text}) => parseList(path, text).map(keyOf)));
  const ourFiles = new Set(lists.map(({path}) => basename(path)));
  for (const name of await readdir(join(tree, SYSUSERS))) {
    if (!name.endsWith('.conf') || ourFiles.has(name)) continue;
    const path = join(tree, SYSUSERS, name);
    const text = await readFile(path, 'utf8');
    const repeated = new Set<number>();
    try {
      for (const record of parseSysusers(text))
        if (keyOf(record) !== null && ours.has(keyOf(record))) repeated.add(record.line);
    } catch (error) {
      if (error instanceof SystemdListError) continue;
      throw error;
    }
    if (repeated.size === 0) continue;
    const lines = text.split('\n').filter((_, index) => !repeated.has(index + 1));
    await writeFile(path, lines.join('\n'));
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
  const basic = join(tree, SYSUSERS, 'basic.conf');
  const lists = [{path: basic, text: await readFile(basic, 'utf8')}, ...(await readLists(overlays))];
  const {users, groups} = fixedNumbers(lists.flatMap(({path, text}) => parseList(path, text)));
  return new Map([
    ...[...users].map(([number, name]) => [`user ${name}`, number] as const),
    ...[...groups].map(([number, name]) => [`group ${name}`, number] as const),
  ]);
}

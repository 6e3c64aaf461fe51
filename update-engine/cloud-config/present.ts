/** What there is on the host: accounts and files, as far as a config speaks of them. */
import {lstat, readFile, readlink} from 'node:fs/promises';
import {type CloudHost, onHost} from './host.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly shell: string;
  /** As in /etc/shadow. */
  readonly passwordHash: string;
  /** Day after which nobody gets in; empty for none. */
  readonly expires: string;
}

export interface Accounts {
  readonly users: ReadonlyMap<string, Account>;
  /** Name to number, and to the users that are in it beside those whose own it is. */
  readonly groups: ReadonlyMap<string, {readonly gid: number; readonly members: readonly string[]}>;
}

export type FileState =
  | {readonly kind: 'absent'}
  | {
      readonly kind: 'file';
      readonly content: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {readonly kind: 'link'; readonly target: string}
  | {readonly kind: 'other'};

/** What is larger is not compared, and never equal. */
const MAX_FILE_BYTES = 64 << 20;

export async function readAccounts(host: CloudHost): Promise<Accounts> {
  const [passwd, group, shadow] = await Promise.all(
    ['passwd', 'group', 'shadow'].map((name) =>
      readFile(onHost(host, `/etc/${name}`), 'utf8').catch(() => ''),
    ),
  );
  return parseAccounts(passwd ?? '', group ?? '', shadow ?? '');
}

/** passwd(5), group(5), shadow(5). */
export function parseAccounts(passwd: string, group: string, shadow: string): Accounts {
  const rows = (text: string): string[][] =>
    text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line.split(':')]));
  const secrets = new Map(rows(shadow).map((row) => [row[0] ?? '', row]));
  const users = rows(passwd).map(([name = '', , uid, gid, gecos = '', , shell = '']) => {
    const secret = secrets.get(name);
    const account = {
      uid: Number(uid),
      gid: Number(gid),
      gecos,
      shell,
      passwordHash: secret?.[1] ?? '',
      expires: secret?.[7] ?? '',
    };
    return [name, account] as const;
  });
  const groups = rows(group).map(([name = '', , gid, members = '']) => {
    const names = members.split(',').filter((member) => member !== '');
    return [name, {gid: Number(gid), members: names}] as const;
  });
  return {users: new Map(users), groups: new Map(groups)};
}

export async function readFileState(host: CloudHost, path: string): Promise<FileState> {
  const full = onHost(host, path);
  const found = await lstat(full).catch((error: unknown) => {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found === undefined) return {kind: 'absent'};
  if (found.isSymbolicLink()) return {kind: 'link', target: await readlink(full)};
  if (!found.isFile() || found.size > MAX_FILE_BYTES) return {kind: 'other'};
  const {mode, uid, gid} = found;
  return {kind: 'file', content: await readFile(full), mode: mode & 0o7777, uid, gid};
}

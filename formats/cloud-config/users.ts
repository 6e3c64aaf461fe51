/** `users` of a cloud-config: accounts, and keys for them. */
import {readKeyLine} from '../ssh-public-key.ts';
import type {YamlEntry, YamlNode} from '../yaml.ts';
import {type Fields, type Reader, isMissing, joinPath, show} from './reader.ts';
import type {ConfigUser, KeyImport} from './types.ts';

const KEYS = [
  'name',
  'gecos',
  'passwd',
  'homedir',
  'no_create_home',
  'primary_group',
  'groups',
  'no_user_group',
  'ssh_authorized_keys',
  'coreos_ssh_import_github',
  'coreos_ssh_import_github_users',
  'coreos_ssh_import_url',
  'system',
  'no_log_init',
  'shell',
  'inactive',
  'lock_passwd',
] as const;
type Key = (typeof KEYS)[number];

/** useradd(8), CAVEATS: what every tool can live with. */
export const USER_NAME = /^[a-z_][a-z0-9_-]{0,30}\$?$/;
/** Names of GitHub accounts, of companies too, which have an underscore. */
const GITHUB_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** crypt(5): `$id$...`; `*` and `!` for none. */
const PASSWORD_HASH = /^(!{0,2}\$[A-Za-z0-9_-]{1,16}\$[^\s:]{8,512}|[!*]{1,2})$/;

export function readUsers(reader: Reader, entry: YamlEntry | undefined): readonly ConfigUser[] {
  const users: ConfigUser[] = [];
  for (const {node, path} of reader.list(entry, 'users')) {
    const user = readUser(reader, node, path);
    if (user === null) continue;
    if (users.some(({name}) => name === user.name))
      reader.error(node.place, `${path}: the user ${user.name} is there twice`);
    else users.push(user);
  }
  return users;
}

function readUser(reader: Reader, node: YamlNode, path: string): ConfigUser | null {
  const fields = reader.map(node, path, KEYS);
  if (fields === null) return null;
  const name = checked(
    reader,
    fields,
    path,
    'name',
    USER_NAME,
    'is no name of a user: small letters, digits, _ and -',
  );
  if (name === null) {
    if (isMissing(fields.get('name'))) reader.error(node.place, `${path} has no name`);
    return null;
  }
  const flag = (key: Key): boolean => reader.flag(fields.get(key), joinPath(path, key)) ?? false;
  const noCreateHome = flag('no_create_home');
  return {
    name,
    gecos: checked(reader, fields, path, 'gecos', /^[^:]{1,256}$/, 'has a colon in it, or is too long'),
    passwordHash: readPassword(reader, fields, path),
    homedir: checked(reader, fields, path, 'homedir', /^\/[^:]{0,255}$/, 'is no absolute path'),
    noCreateHome,
    primaryGroup: checked(reader, fields, path, 'primary_group', USER_NAME, 'is no name of a group'),
    groups: readGroups(reader, fields.get('groups'), joinPath(path, 'groups')),
    noUserGroup: flag('no_user_group'),
    system: flag('system'),
    noLogInit: flag('no_log_init'),
    shell: checked(reader, fields, path, 'shell', /^\/[^:\s]{1,255}$/, 'is no absolute path of a shell'),
    inactive: flag('inactive'),
    lockPassword: flag('lock_passwd'),
    sshAuthorizedKeys: readKeys(
      reader,
      fields.get('ssh_authorized_keys'),
      joinPath(path, 'ssh_authorized_keys'),
    ),
    imports: readImports(reader, fields, path),
  };
}

function checked(
  reader: Reader,
  fields: Fields<Key>,
  path: string,
  key: Key,
  pattern: RegExp,
  problem: string,
): string | null {
  const entry = fields.get(key);
  const text = reader.line(entry, joinPath(path, key));
  if (text === null || entry === undefined || pattern.test(text)) return text;
  return reader.error(entry.value.place, `${joinPath(path, key)}: ${show(text)} ${problem}`);
}

/** The value is in no message: a password that was written in clear shall not end up in a journal as well. */
function readPassword(reader: Reader, fields: Fields<Key>, path: string): string | null {
  const entry = fields.get('passwd');
  const text = reader.line(entry, joinPath(path, 'passwd'));
  if (text === null || entry === undefined || PASSWORD_HASH.test(text)) return text;
  return reader.error(
    entry.value.place,
    `${joinPath(path, 'passwd')} is no hash of a password; "openssl passwd -6" makes one`,
  );
}

/** A list; text with commas as well, as useradd takes it. */
function readGroups(reader: Reader, entry: YamlEntry | undefined, path: string): readonly string[] {
  const names =
    entry?.value.kind === 'scalar'
      ? (reader.line(entry, path) ?? '').split(',').flatMap((name) => name.trim() || [])
      : reader.lines(entry, path);
  return [...new Set(names)].filter((name) => {
    if (USER_NAME.test(name)) return true;
    if (entry !== undefined) reader.error(entry.value.place, `${path}: ${show(name)} is no name of a group`);
    return false;
  });
}

export function readKeys(reader: Reader, entry: YamlEntry | undefined, path: string): readonly string[] {
  return reader.list(entry, path).flatMap(({node, path: item}) => {
    if (node.kind !== 'scalar' || node.text === '') {
      reader.error(node.place, `${item} is no text with a public key`);
      return [];
    }
    const key = readKeyLine(node.text, {options: true});
    if (key.kind === 'key') return [key.line];
    reader.error(node.place, `${item} is ${key.problem}`);
    return [];
  });
}

function readImports(reader: Reader, fields: Fields<Key>, path: string): readonly KeyImport[] {
  const imports: KeyImport[] = [];
  const single = fields.get('coreos_ssh_import_github');
  const account = reader.line(single, joinPath(path, 'coreos_ssh_import_github'));
  const accounts = [
    ...(account === null ? [] : [account]),
    ...reader.lines(
      fields.get('coreos_ssh_import_github_users'),
      joinPath(path, 'coreos_ssh_import_github_users'),
    ),
  ];
  const {place} = single ? single.value : fields;
  for (const name of accounts) {
    if (GITHUB_NAME.test(name)) imports.push({kind: 'github', account: name});
    else reader.error(place, `${path}: ${show(name)} is no name of a GitHub account`);
  }
  const urlEntry = fields.get('coreos_ssh_import_url');
  const url = reader.line(urlEntry, joinPath(path, 'coreos_ssh_import_url'));
  if (url !== null && urlEntry !== undefined) {
    if (!isHttp(url)) reader.error(urlEntry.value.place, `${path}: ${show(url)} is no http or https address`);
    else {
      if (url.startsWith('http:'))
        reader.warn(urlEntry.value.place, `${path}: keys from ${show(url)} come without protection (http)`);
      imports.push({kind: 'url', url});
    }
  }
  return imports;
}

function isHttp(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

/**
 * sysusers.d: the accounts that an image declares.
 *
 * Format: sysusers.d(5). Specifiers (`%b`) in names are refused: an account whose name depends on the host cannot own
 * a file of the image.
 */
import {
  badField,
  badLine,
  contentLines,
  splitWords,
  SystemdListError,
  type ListLine,
} from './systemd-lists.ts';

export {SystemdListError, type SystemdListErrorCode} from './systemd-lists.ts';

/** A number as written, or the file whose owner gives it; undefined leaves the choice to systemd. */
export type AccountId = number | {ownerOf: string} | undefined;

export type SysusersRecord = {line: number} & (
  | {
      type: 'user';
      name: string;
      /** `u!`: nobody can log in as this user, not even with a key. */
      isLocked: boolean;
      uid: AccountId;
      /** Number or name of a group that is declared elsewhere; undefined makes one of the user's name and number. */
      group: number | string | undefined;
      description: string | undefined;
      home: string | undefined;
      shell: string | undefined;
    }
  | {type: 'group'; name: string; gid: AccountId}
  | {type: 'member'; user: string; group: string}
  | {type: 'range'; first: number; last: number}
);

/** -1 and its 16-bit form mean "no change" to the kernel, so they are nobody's number (systemd, UIDS-GIDS). */
const RESERVED = new Set([65_535, 4_294_967_295]);
/** utmp keeps 31 characters and a NUL. */
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,30}$/;

/** Reads one file. Throws SystemdListError naming the line. */
export function parseSysusers(text: string): SysusersRecord[] {
  return contentLines(text).map(parseRecord);
}

function parseRecord(line: ListLine): SysusersRecord {
  const {words, rest} = splitWords(line, 6, 'plain');
  if (rest !== '') throw badLine(line, 'more than six fields');
  const [type, first, id, description, home, shell] = words;
  const isUser = type === 'u' || type === 'u!';
  if (!isUser && [description, home, shell].some((field) => field !== undefined)) {
    throw badLine(line, 'only users have a description, a home and a shell');
  }
  switch (type) {
    case 'u':
    case 'u!': {
      for (const [field, path] of Object.entries({home, shell})) {
        if (path?.startsWith('/') === false) throw badField(line, field, path);
      }
      const name = checkName(first, 'name', line);
      return {
        line: line.number,
        type: 'user',
        name,
        isLocked: type === 'u!',
        ...parseUserId(id, line),
        description,
        home,
        shell,
      };
    }
    case 'g':
      return {line: line.number, type: 'group', name: checkName(first, 'name', line), gid: parseId(id, line)};
    case 'm':
      return {
        line: line.number,
        type: 'member',
        user: checkName(first, 'user', line),
        group: checkName(id, 'group', line),
      };
    case 'r': {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(id ?? '') ?? [];
      if (from === undefined || to === undefined) throw badField(line, 'range', id);
      if (first !== undefined) throw badField(line, 'name', first);
      const range = {first: parseNumber(from, line), last: parseNumber(to, line)};
      if (range.first > range.last) throw badField(line, 'range', id);
      return {line: line.number, type: 'range', ...range};
    }
    case undefined:
    default:
      throw badField(line, 'type', type);
  }
}

function parseUserId(
  id: string | undefined,
  line: ListLine,
): {uid: AccountId; group: number | string | undefined} {
  const [, uid, group] = /^(\d+|-):(.+)$/.exec(id ?? '') ?? [];
  if (uid === undefined || group === undefined) return {uid: parseId(id, line), group: undefined};
  return {
    uid: uid === '-' ? undefined : parseNumber(uid, line),
    group: /^\d+$/.test(group) ? parseNumber(group, line) : checkName(group, 'group', line),
  };
}

function parseId(id: string | undefined, line: ListLine): AccountId {
  if (id === undefined) return undefined;
  return id.startsWith('/') ? {ownerOf: id} : parseNumber(id, line);
}

function parseNumber(text: string, line: ListLine): number {
  const value = Number(text);
  if (!/^(0|[1-9]\d{0,9})$/.test(text) || value > 4_294_967_295 || RESERVED.has(value)) {
    throw badField(line, 'number', text);
  }
  return value;
}

function checkName(name: string | undefined, field: string, line: ListLine): string {
  if (name === undefined || !NAME.test(name)) throw badField(line, field, name);
  return name;
}

export interface FixedNumbers {
  /** Names by number. */
  users: ReadonlyMap<number, string>;
  groups: ReadonlyMap<number, string>;
}

/**
 * The numbers that are the same on every host, because a line spells them out. Files of an image may only be owned by
 * these. Give it the records of all files together. Throws SystemdListError 'conflict' when two names share a number.
 */
export function fixedNumbers(records: readonly SysusersRecord[]): FixedNumbers {
  const users = new Map<number, string>();
  const groups = new Map<number, string>();
  const add = (map: Map<number, string>, kind: string, id: AccountId, name: string): void => {
    if (typeof id !== 'number') return;
    const holder = map.get(id) ?? name;
    if (holder !== name)
      throw new SystemdListError('conflict', `${kind} ${holder} and ${name} both have number ${id}`);
    map.set(id, name);
  };
  const declaredGroups = new Set(records.flatMap((record) => (record.type === 'group' ? [record.name] : [])));
  for (const record of records) {
    if (record.type === 'group') add(groups, 'group', record.gid, record.name);
    if (record.type !== 'user') continue;
    add(users, 'user', record.uid, record.name);
    // A user without a group gets one of its name and number, unless a line of its own declares that name.
    const hasOwnGroup = record.group === undefined && !declaredGroups.has(record.name);
    if (hasOwnGroup) add(groups, 'group', record.uid, record.name);
  }
  return {users, groups};
}

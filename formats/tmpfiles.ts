/**
 * tmpfiles.d: the directories and files that an image asks for at boot.
 *
 * Format: tmpfiles.d(5) of systemd 257; 252 still read backslashes in another way. Specifiers stay as they are written; their values belong to the host.
 */
import {badField, contentLines, given, splitWords, type ListLine} from './systemd-lists.ts';

export {SystemdListError, type SystemdListErrorCode} from './systemd-lists.ts';

/** Letters of systemd 257, without the deprecated `F` and `m`. */
const TYPES = [...'fwdDevqQpLcbCxXrRzZtThHaA'] as const;
/** `+` replace or add, `!` boot only, `-` may fail, `=` remove what is of another type, `~` Base64, `^` credential, `$` purge, `?` only if it is there. */
const MODIFIERS = [...'+!-=~^$?'] as const;

export interface TmpfilesRecord {
  line: number;
  /** One letter of tmpfiles.d(5). */
  type: string;
  /** The characters after the letter, each once. */
  modifiers: ReadonlySet<string>;
  /** Absolute, or beginning with a specifier. */
  path: string;
  mode: TmpfilesMode | undefined;
  user: TmpfilesOwner | undefined;
  group: TmpfilesOwner | undefined;
  /** As written, for example `10d` or `bmA:1h`. */
  age: string | undefined;
  /** The rest of the line, as written. */
  argument: string | undefined;
}

export interface TmpfilesMode {
  bits: number;
  /** `~`: narrowed by the bits that the file has. */
  isMasked: boolean;
  /** `:`: only for what is made anew. */
  isForNewOnly: boolean;
}

export interface TmpfilesOwner {
  /** A number or a name. */
  owner: number | string;
  /** `:`: only for what is made anew. */
  isForNewOnly: boolean;
}

/** Reads one file. Throws SystemdListError naming the line. */
export function parseTmpfiles(text: string): TmpfilesRecord[] {
  return contentLines(text).map(parseRecord);
}

function parseRecord(line: ListLine): TmpfilesRecord {
  const {words, rest} = splitWords(line, 6, 'c');
  const [action = '', path, mode, user, group, age] = words;
  const [type = '', ...modifiers] = [...action];
  const isKnown = TYPES.includes(type) && modifiers.every((one) => MODIFIERS.includes(one));
  if (!isKnown || new Set(modifiers).size !== modifiers.length) throw badField(line, 'type', action);
  if (path === undefined || !/^[/%]/.test(path) || path.split('/').includes('..'))
    throw badField(line, 'path', path);
  return {
    line: line.number,
    type,
    modifiers: new Set(modifiers),
    path,
    mode: parseMode(mode, line),
    user: parseOwner(user, 'user', line),
    group: parseOwner(group, 'group', line),
    age,
    argument: given(rest),
  };
}

function parseMode(text: string | undefined, line: ListLine): TmpfilesMode | undefined {
  if (text === undefined) return undefined;
  const [, prefix, octal] = /^([~:]*)([0-7]{1,5})$/.exec(text) ?? [];
  const bits = parseInt(octal ?? '', 8);
  if (prefix === undefined || prefix.length !== new Set(prefix).size || bits > 0o7777) {
    throw badField(line, 'mode', text);
  }
  return {bits, isMasked: prefix.includes('~'), isForNewOnly: prefix.includes(':')};
}

function parseOwner(text: string | undefined, field: string, line: ListLine): TmpfilesOwner | undefined {
  if (text === undefined) return undefined;
  const isForNewOnly = text.startsWith(':');
  const name = isForNewOnly ? text.slice(1) : text;
  if (/^\d{1,10}$/.test(name)) return {owner: Number(name), isForNewOnly};
  if (!/^[A-Za-z_%][\w%-]{0,30}$/.test(name)) throw badField(line, field, text);
  return {owner: name, isForNewOnly};
}

/**
 * Entries of FAT directories, for writing: names of 8 and 3 characters in one case each, which is how mtools and Linux
 * write `usr-a.efi` (the bits for lower case are Windows NT's). Long names are kept where they are, and made only for
 * volumes that are new as a whole (long-name.ts).
 */
import {FatError} from './boot-sector.ts';
import {ATTRIBUTE, DELETED, ENTRY_AT, ENTRY_BYTES, UNUSED} from './directory.ts';
import type {SurveyedFolder} from './survey.ts';

/** UTC, as the specification leaves no room for a zone. */
export interface FatMoment {
  /** 1980 to 2107. */
  year: number;
  /** From 1. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

export interface EntryFields {
  firstCluster: number;
  bytes: number;
  modified: FatMoment;
}

export type Attribute = (typeof ATTRIBUTE)['archive' | 'directory' | 'volume'];

const LOWER_BASE = 0x08;
const LOWER_ENDING = 0x10;

/** `milliseconds` since 1970. What FAT cannot say becomes the nearest that it can. */
export function fatMoment(milliseconds: number): FatMoment {
  const first = Date.UTC(1980, 0, 1);
  const last = Date.UTC(2107, 11, 31, 23, 59, 58);
  const at = new Date(Math.min(Math.max(milliseconds, first), last));
  return {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
  };
}

/** The entry that is there, with other content. */
export function switchedEntry(content: Buffer, at: number, fields: EntryFields): Buffer {
  const entry = Buffer.from(content.subarray(at, at + ENTRY_BYTES));
  setFields(entry, fields);
  return entry;
}

/** A new entry. Throws FatError 'bad-name' for a name that would need a long one, or whose short form is taken. */
export function newEntry({path, entries}: SurveyedFolder, name: string, fields: EntryFields): Buffer {
  const entry = shortEntry(name, ATTRIBUTE.archive, fields);
  if (entry === null) {
    throw new FatError(
      'bad-name',
      `${JSON.stringify(name)} is not 8 and 3 characters, each part in one case`,
    );
  }
  if (entries.some(({shortName}) => shortName === name.toUpperCase()))
    throw new FatError('bad-name', `the short name ${name.toUpperCase()} is taken in /${path}`);
  return entry;
}

/** The entry of a name that needs no long one; null when it needs one. */
export function shortEntry(name: string, attribute: Attribute, fields: EntryFields): Buffer | null {
  const [, base = '', , ending = ''] = /^([\w-]{1,8})(\.([\w-]{1,3}))?$/.exec(name) ?? [];
  const isOneCase = (part: string): boolean => part === part.toLowerCase() || part === part.toUpperCase();
  if (base === '' || !isOneCase(base) || !isOneCase(ending)) return null;
  const entry = namedEntry(base.toUpperCase().padEnd(8) + ending.toUpperCase().padEnd(3), attribute, fields);
  const isLower = (part: string): boolean => part !== part.toUpperCase();
  const cases = (isLower(base) ? LOWER_BASE : 0) | (isLower(ending) ? LOWER_ENDING : 0);
  entry.writeUInt8(cases, ENTRY_AT.cases);
  return entry;
}

/** `shortName` as it lies on the disk: 8 characters and 3. */
export function namedEntry(shortName: string, attribute: Attribute, fields: EntryFields): Buffer {
  const entry = Buffer.alloc(ENTRY_BYTES);
  entry.write(shortName, 'latin1');
  entry.writeUInt8(attribute, ENTRY_AT.attributes);
  setFields(entry, fields);
  return entry;
}

/** The name of the volume, in its root. Throws FatError 'bad-name'. */
export function labelEntry(label: string, modified: FatMoment): Buffer {
  if (!/^[A-Z0-9_ -]{1,11}$/.test(label))
    throw new FatError('bad-name', `${JSON.stringify(label)} is not a label of 11 characters, upper case`);
  return namedEntry(label.padEnd(11), ATTRIBUTE.volume, {firstCluster: 0, bytes: 0, modified});
}

/** What a folder calls itself and the one that holds it. */
export function relativeEntry(name: '.' | '..', firstCluster: number, modified: FatMoment): Buffer {
  return namedEntry(name.padEnd(11), ATTRIBUTE.directory, {firstCluster, bytes: 0, modified});
}

/**
 * Where a new entry can go. `isLast` when it becomes the last one and others follow that were never in use. Not behind
 * a piece of a long name, which would then belong to it. Throws FatError 'no-room': a directory is never made longer,
 * because that changes a table entry which other files need.
 */
export function placeForEntry({path, content}: SurveyedFolder): {at: number; isLast: boolean} {
  let isBehindPiece = false;
  for (let at = 0; at < content.length; at += ENTRY_BYTES) {
    const first = content[at];
    const isEnd = first === UNUSED;
    if ((isEnd || first === DELETED) && !isBehindPiece)
      return {at, isLast: isEnd && at + ENTRY_BYTES < content.length};
    if (isEnd) break;
    const attributes = content.readUInt8(at + ENTRY_AT.attributes) & ATTRIBUTE.mask;
    isBehindPiece = first !== DELETED && attributes === ATTRIBUTE.longName;
  }
  throw new FatError('no-room', `the directory /${path} has no room for another entry`, {
    hint: 'remove files from it that are not those of the system, or run fsck.vfat',
  });
}

function setFields(entry: Buffer, {firstCluster, bytes, modified}: EntryFields): void {
  const {year, month, day, hour, minute, second} = modified;
  entry.writeUInt16LE((hour << 11) | (minute << 5) | (second >> 1), ENTRY_AT.time);
  entry.writeUInt16LE(((year - 1980) << 9) | (month << 5) | day, ENTRY_AT.date);
  entry.writeUInt16LE(Math.floor(firstCluster / 0x1_0000), ENTRY_AT.clusterHigh);
  entry.writeUInt16LE(firstCluster % 0x1_0000, ENTRY_AT.clusterLow);
  entry.writeUInt32LE(bytes, ENTRY_AT.bytes);
}

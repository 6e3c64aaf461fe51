/**
 * Long names of FAT directories, for volumes made anew: the pieces that stand before the entry with the short name
 * ("Long Directory Entries" in Microsoft's FAT specification, version 1.03). Directories of others never get one from us:
 * they would have to grow for it.
 */
import {FatError} from './boot-sector.ts';
import {ATTRIBUTE, ENTRY_AT, ENTRY_BYTES, NAME_UNITS, shortNameChecksum} from './directory.ts';

const MAX_UNITS = 255;
const LAST_PIECE = 0x40;
const PADDING = 0xffff;
const PLAIN_NAME = /^[\w][\w.~-]*[\w]$/;
/** Of one folder with the same beginning; more than one digit would take another character of the name. */
const MAX_NUMBER = 9;

/**
 * The 11 characters of a short name for a long one: six of its beginning, a number, three of its ending. Throws FatError
 * 'bad-name' for anything but letters, digits and `._-~`, and when all numbers are taken.
 */
export function shortNameFor(name: string, taken: ReadonlySet<string>): string {
  if (!PLAIN_NAME.test(name) || name.length > MAX_UNITS)
    throw new FatError('bad-name', `${JSON.stringify(name.slice(0, 80))} is no name that is made here`);
  const dot = name.lastIndexOf('.');
  const plain = (text: string): string => text.replaceAll(/[^\w-]/g, '').toUpperCase();
  const base = plain(dot === -1 ? name : name.slice(0, dot)).slice(0, 6);
  const ending = dot === -1 ? '' : plain(name.slice(dot + 1)).slice(0, 3);
  for (let number = 1; number <= MAX_NUMBER; number += 1) {
    const short = `${base}~${number}`.padEnd(8) + ending.padEnd(3);
    if (!taken.has(short)) return short;
  }
  throw new FatError('bad-name', `there is no short name left for ${name}`);
}

/** The entries that go before the one with the short name, in the order in which they lie on the disk. */
export function longNamePieces(name: string, shortName: string): Buffer[] {
  const units = [...name].map((character) => character.charCodeAt(0));
  const count = Math.ceil(units.length / NAME_UNITS.length);
  const checksum = shortNameChecksum(Buffer.from(shortName, 'latin1'));
  return Array.from({length: count}, (_, index) => {
    const number = count - index;
    const piece = Buffer.alloc(ENTRY_BYTES);
    piece.writeUInt8(number | (index === 0 ? LAST_PIECE : 0), 0);
    piece.writeUInt8(ATTRIBUTE.longName, ENTRY_AT.attributes);
    piece.writeUInt8(checksum, ENTRY_AT.checksum);
    for (const [at, offset] of NAME_UNITS.entries()) {
      const unit = (number - 1) * NAME_UNITS.length + at;
      // One zero ends the name where it does not fill its last piece.
      piece.writeUInt16LE(units[unit] ?? (unit === units.length ? 0 : PADDING), offset);
    }
    return piece;
  });
}

/** Words of hosts on their way into the database, which cannot hold all that XML can. */

const MAX_CHARACTERS = 256;
/** Columns of 32 bits; no event of any protocol comes near. */
const MAX_INTEGER = 2 ** 31 - 1;
const MACHINE_ID = /^[\x21-\x7e]{1,128}$/;

/** Without control characters and halves of characters, and cut where it is longer than any name. */
export function storable(text: string): string {
  return printable(text.slice(0, MAX_CHARACTERS));
}

/** Without what neither a line, nor XML, nor a database can hold. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, '?');
}

export function isMachineId(text: string): boolean {
  return MACHINE_ID.test(text);
}

export function isStorableInteger(value: number): boolean {
  return value <= MAX_INTEGER;
}

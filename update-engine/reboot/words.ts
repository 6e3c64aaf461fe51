/** Words of others, on their way into the journal, a status and onto terminals. */

const MAX_CHARACTERS = 200;

/** Short, and without what a terminal would obey to. */
export function printable(text: string, maxCharacters = MAX_CHARACTERS): string {
  return text.slice(0, maxCharacters).replaceAll(/\p{C}+/gu, ' ');
}

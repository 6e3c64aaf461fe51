/** Words of others, on their way into the journal, a status and onto terminals. */

const MAX_CHARACTERS = 200;

/** Short, and without what a terminal would obey to. */
export function printable(text: string, maxCharacters = MAX_CHARACTERS): string {
  return text.slice(0, maxCharacters).replaceAll(/\p{C}+/gu, ' ');
}

/** `5 minutes`, `1 minute`, `30 seconds`: rounded up, because it is what somebody has left. */
export function minutesText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}

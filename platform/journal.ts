/**
 * The log of a service: lines on standard error with the priority that journald reads (sd-daemon(3)), and no times,
 * because the journal has them. A message of several lines gets the priority on each.
 */
export interface Journal {
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
}

const PRIORITIES = {error: 3, warn: 4, info: 6, debug: 7} as const;

/** `write` takes whole lines. */
export function createJournal(write: (text: string) => void): Journal {
  const at = (level: keyof typeof PRIORITIES) => (text: string) =>
    write(
      text
        .trimEnd()
        .split('\n')
        .map((line) => `<${PRIORITIES[level]}>${line.replaceAll(/\p{Cc}+/gu, ' ')}\n`)
        .join(''),
    );
  return {error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug')};
}

/**
 * Lines and words of systemd's list files (sysusers.d, tmpfiles.d): comments, quotes and backslashes.
 *
 * The build reads these files to prove things about an image before it boots; systemd only warns about a line that it
 * cannot use and goes on, so here every such line is an error. What the fields mean is in sysusers.ts and tmpfiles.ts.
 */
import {CodedError} from './errors.ts';

export type SystemdListErrorCode = 'bad-line' | 'bad-field' | 'conflict' | 'too-large';
export class SystemdListError extends CodedError<SystemdListErrorCode> {}

/** Characters; the longest file of systemd has about four thousand. */
const MAX_TEXT_LENGTH = 1024 * 1024;

export interface ListLine {
  /** Counted from 1. */
  number: number;
  text: string;
}

/** Lines with content, without blanks around them. Throws SystemdListError 'too-large'. */
export function contentLines(text: string): ListLine[] {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new SystemdListError('too-large', `${text.length} characters exceed ${MAX_TEXT_LENGTH}`);
  }
  return text
    .split('\n')
    .map((line, index) => ({number: index + 1, text: line.trim()}))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));
}

/**
 * What a backslash does: `c` decodes C escapes, `plain` only takes the meaning from the next character. systemd 257
 * reads tmpfiles.d in the first way and sysusers.d in the second, whatever its manual says of both.
 */
export type EscapeStyle = 'c' | 'plain';

/**
 * The first `count` words and what follows them. A word that is `-` or empty stands for "not given" and comes back
 * as undefined, as do words that are not there. Throws SystemdListError 'bad-line' for a bad quote or escape.
 */
export function splitWords(
  line: ListLine,
  count: number,
  style: EscapeStyle,
): {words: (string | undefined)[]; rest: string} {
  const words: (string | undefined)[] = [];
  let rest = line.text;
  while (words.length < count) {
    const [matched] = WORD.exec(rest) ?? [''];
    if (matched === '') break;
    const next = rest.slice(matched.length);
    if (next !== '' && !/^\s/.test(next))
      throw badLine(line, `stray quote or backslash at ${next.slice(0, 20)}`);
    words.push(given(unquote(matched, line, style)));
    rest = next.trimStart();
  }
  if (words.length < count && rest !== '')
    throw badLine(line, `stray quote or backslash at ${rest.slice(0, 20)}`);
  while (words.length < count) words.push(undefined);
  return {words, rest};
}

/** Undefined for the two ways of leaving a field out. */
export function given(text: string): string | undefined {
  return text === '' || text === '-' ? undefined : text;
}

export function badLine(line: ListLine, reason: string): SystemdListError {
  return new SystemdListError('bad-line', `line ${line.number}: ${reason}: ${line.text.slice(0, 200)}`);
}

export function badField(line: ListLine, field: string, value: string | undefined): SystemdListError {
  return new SystemdListError(
    'bad-field',
    `line ${line.number}: ${field} cannot be ${JSON.stringify(value ?? '-')}: ${line.text.slice(0, 200)}`,
  );
}

/** Plain characters, escapes and quoted pieces in any mixture. */
const WORD = /^(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+/s;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** Takes the quotes away; the other quote is plain inside them, escapes count everywhere. */
function unquote(word: string, line: ListLine, style: EscapeStyle): string {
  return word.replaceAll(
    /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|((?:[^"'\\]|\\.)+)/gs,
    (_, double?: string, single?: string, bare?: string) => {
      const text = double ?? single ?? bare ?? '';
      return style === 'c' ? unescape(text, line) : text.replaceAll(/\\(.)/gs, '$1');
    },
  );
}

function unescape(text: string, line: ListLine): string {
  return text.replaceAll(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|([0-3][0-7]{2})|(.))/gs,
    (match, hex?: string, unicode?: string, octal?: string, simple?: string) => {
      if (simple !== undefined) {
        const character = SIMPLE_ESCAPES[simple];
        if (character === undefined) throw badLine(line, `unknown escape ${match}`);
        return character;
      }
      const code = octal === undefined ? parseInt(hex ?? unicode ?? '', 16) : parseInt(octal, 8);
      // Zero would end a C string; a byte above 127 or half a surrogate pair is no character by itself.
      const isCharacter = unicode === undefined ? code <= 0x7f : code < 0xd800 || code > 0xdfff;
      if (code === 0 || !isCharacter) throw badLine(line, `escape ${match} is not a character`);
      return String.fromCharCode(code);
    },
  );
}

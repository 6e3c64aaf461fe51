/**
 * Debian control data: paragraphs of `Field: value` lines, as in Packages indexes, dpkg's status and .deb control
 * files.
 *
 * Strict where tools differ: a line of blanks only is neither a separator nor a continuation, a field may occur once.
 *
 * Format: Debian Policy 5.1 and deb822(5).
 */
import {CodedError} from './errors.ts';

export type Deb822ErrorCode = 'too-large' | 'bad-line' | 'duplicate-field';
export class Deb822Error extends CodedError<Deb822ErrorCode> {}

/** Field names as written; values without the blanks around the first line and the one before each continuation. */
export type Deb822Paragraph = ReadonlyMap<string, string>;

/** Characters. The uncompressed index of Debian's main is about 55 million. */
const MAX_TEXT_LENGTH = 256 * 1024 * 1024;
/** A binary package has some 30 fields. */
const MAX_FIELDS = 256;

/** Printable ASCII but colon, not beginning with `#` or `-` (Policy 5.1). */
const FIELD_LINE = /^([!"$-,./0-9;-~][!-9;-~]*):(.*)$/;

/**
 * Splits a text into its paragraphs. Continuation lines are joined with newlines, each without its first blank; lines
 * beginning with `#` are comments. Throws Deb822Error with the number of the line.
 */
export function parseDeb822(text: string): Deb822Paragraph[] {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new Deb822Error('too-large', `${text.length} characters exceed ${MAX_TEXT_LENGTH}`);
  }
  const paragraphs: Deb822Paragraph[] = [];
  let builder = new ParagraphBuilder();
  let number = 0;
  for (const line of eachLine(text)) {
    number += 1;
    if (line.startsWith('#')) continue;
    if (line !== '') {
      builder.addLine(line, number);
    } else if (!builder.isEmpty) {
      paragraphs.push(builder.finish());
      builder = new ParagraphBuilder();
    }
  }
  if (!builder.isEmpty) paragraphs.push(builder.finish());
  return paragraphs;
}

class ParagraphBuilder {
  readonly #fields = new Map<string, string[]>();
  /** Field names are the same in any case (Policy 5.1). */
  readonly #seen = new Set<string>();
  #lines: string[] | undefined;

  get isEmpty(): boolean {
    return this.#fields.size === 0;
  }

  addLine(line: string, number: number): void {
    if (/[\0\r]/.test(line))
      throw new Deb822Error('bad-line', `line ${number} has a NUL or a carriage return`);
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (this.#lines === undefined) throw new Deb822Error('bad-line', `line ${number} continues no field`);
      if (line.trim() === '') throw new Deb822Error('bad-line', `line ${number} has nothing but blanks`);
      this.#lines.push(line.slice(1).trimEnd());
      return;
    }
    const [, name, value] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new Deb822Error('bad-line', `line ${number} is no field: ${JSON.stringify(line.slice(0, 200))}`);
    }
    if (this.#seen.has(name.toLowerCase())) {
      throw new Deb822Error('duplicate-field', `line ${number} gives ${name} a second time`);
    }
    if (this.#seen.size === MAX_FIELDS)
      throw new Deb822Error('too-large', `line ${number}: over ${MAX_FIELDS} fields`);
    this.#seen.add(name.toLowerCase());
    this.#lines = [value.trim()];
    this.#fields.set(name, this.#lines);
  }

  finish(): Deb822Paragraph {
    return new Map([...this.#fields].map(([name, lines]) => [name, lines.join('\n')]));
  }
}

/** Lines without their newline, one at a time: an index has two million. */
function* eachLine(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    yield text.slice(start, end === -1 ? text.length : end);
    start = end === -1 ? text.length : end + 1;
  }
}

/**
 * SHA256SUMS: the digests of a release's files, in the form that `sha256sum --check` reads.
 *
 * Format: GNU coreutils manual, "md5sum invocation". A name with a backslash or a line break is escaped, and its line
 * begins with a backslash to say so.
 */
import {CodedError} from './errors.ts';

export type Sha256SumsErrorCode = 'bad-line' | 'bad-name' | 'bad-digest' | 'duplicate-name' | 'too-large';
export class Sha256SumsError extends CodedError<Sha256SumsErrorCode> {}

export interface Sha256Sum {
  /** As given to the tool; the codec does not care whether it is a path. */
  name: string;
  /** 64 hex digits, lower case. */
  sha256: string;
}

/** Characters. A release has a dozen files. */
const MAX_TEXT_LENGTH = 1024 * 1024;
const DIGEST = /^[\da-f]{64}$/;
const ESCAPES: Readonly<Record<string, string>> = {'\\': '\\\\', '\n': '\\n', '\r': '\\r'};
const MEANINGS: Readonly<Record<string, string>> = {'\\\\': '\\', '\\n': '\n', '\\r': '\r'};

/** One line for each file, sorted by name so that the text depends on the files only. Throws Sha256SumsError. */
export function encodeSha256Sums(sums: readonly Sha256Sum[]): string {
  const sorted = [...sums].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  checkSums(sorted);
  return sorted
    .map(({name, sha256}) => {
      const escaped = name.replaceAll(/[\\\n\r]/g, (character) => ESCAPES[character] ?? character);
      return `${escaped === name ? '' : '\\'}${sha256}  ${escaped}\n`;
    })
    .join('');
}

/** Reads lines of text and of binary mode (`HASH *NAME`) in their order. Throws Sha256SumsError. */
export function decodeSha256Sums(text: string): Sha256Sum[] {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new Sha256SumsError('too-large', `${text.length} characters exceed ${MAX_TEXT_LENGTH}`);
  }
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Sha256SumsError('bad-line', 'the last line has no end');
  const sums = lines.map((line, index) => {
    const [, mark, sha256, raw] = /^(\\?)([\da-f]{64}) [ *](.+)$/s.exec(line) ?? [];
    const name = raw === undefined ? undefined : mark === '' ? raw : unescapeName(raw);
    if (sha256 === undefined || name === undefined) {
      throw new Sha256SumsError('bad-line', `line ${index + 1} is ${JSON.stringify(line.slice(0, 200))}`);
    }
    return {name, sha256};
  });
  checkSums(sums);
  return sums;
}

/** Undefined when a backslash stands before anything that is not escaped, or when there is none. */
function unescapeName(raw: string): string | undefined {
  if (!/^(?:[^\\]|\\[\\nr])*$/s.test(raw) || !raw.includes('\\')) return undefined;
  return raw.replaceAll(/\\[\\nr]/g, (escape) => MEANINGS[escape] ?? escape);
}

function checkSums(sums: readonly Sha256Sum[]): void {
  const seen = new Set<string>();
  for (const {name, sha256} of sums) {
    if (name === '' || /[\0\p{Surrogate}]/u.test(name)) {
      throw new Sha256SumsError(
        'bad-name',
        `${JSON.stringify(name.slice(0, 200))} cannot be the name of a file`,
      );
    }
    if (!DIGEST.test(sha256))
      throw new Sha256SumsError('bad-digest', `${name}: ${sha256.slice(0, 100)} is no SHA-256`);
    if (seen.has(name)) throw new Sha256SumsError('duplicate-name', `${name} occurs twice`);
    seen.add(name);
  }
}

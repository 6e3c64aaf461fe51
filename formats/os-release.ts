/**
 * os-release: what system this is, as assignments that both a shell and systemd read.
 *
 * Both sides are kept to the part of shell syntax that os-release(5) allows: one assignment a line, no expansion, no
 * quoted pieces joined together.
 */
import {CodedError} from './errors.ts';

export type OsReleaseErrorCode = 'bad-key' | 'bad-value' | 'bad-line' | 'duplicate-key' | 'too-large';
export class OsReleaseError extends CodedError<OsReleaseErrorCode> {}

/** Fields by name, in the order of the file. */
export type OsRelease = ReadonlyMap<string, string>;

/** Real files are below one KiB. */
const MAX_TEXT_LENGTH = 64 * 1024;
const KEY = /^[A-Z][A-Z0-9_]*$/;
/** Control characters would end the line or the terminal's patience; half a surrogate pair has no UTF-8 form. */
const UNPRINTABLE = /[\p{Cc}\p{Surrogate}]/u;
/** Fields that programs compare or put into file names, hence of few characters. */
const IDENTIFIERS = new Set([
  'ID',
  'VERSION_ID',
  'VERSION_CODENAME',
  'VARIANT_ID',
  'IMAGE_ID',
  'IMAGE_VERSION',
]);
const IDENTIFIER = /^[a-z0-9._-]+$/;

/** One line for each field, in the order given. Throws OsReleaseError for what os-release(5) forbids. */
export function encodeOsRelease(fields: OsRelease): string {
  return [...fields]
    .map(([key, value]) => {
      checkField(key, value);
      return `${key}=${quote(value)}\n`;
    })
    .join('');
}

/** Reads fields, passing over comments and empty lines. Throws OsReleaseError with the number of the line. */
export function decodeOsRelease(text: string): OsRelease {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new OsReleaseError('too-large', `${text.length} characters exceed ${MAX_TEXT_LENGTH}`);
  }
  const fields = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, key, raw] = /^([^=]*)=(.*)$/.exec(line) ?? [];
    const value = raw === undefined ? undefined : unquote(raw);
    if (key === undefined || value === undefined) {
      throw new OsReleaseError('bad-line', `line ${index + 1} is ${JSON.stringify(line.slice(0, 200))}`);
    }
    checkField(key, value);
    if (fields.has(key)) throw new OsReleaseError('duplicate-key', `line ${index + 1} sets ${key} again`);
    fields.set(key, value);
  }
  return fields;
}

function checkField(key: string, value: string): void {
  if (!KEY.test(key)) throw new OsReleaseError('bad-key', `${JSON.stringify(key)} is no name of a field`);
  if (UNPRINTABLE.test(value) || (IDENTIFIERS.has(key) && !IDENTIFIER.test(value))) {
    throw new OsReleaseError('bad-value', `${key} cannot be ${JSON.stringify(value)}`);
  }
}

/** Quotes are wanted as soon as anything but ASCII letters and digits occurs. */
function quote(value: string): string {
  return /^[A-Za-z0-9]+$/.test(value) ? value : `"${value.replaceAll(/["$`\\]/g, '\\$&')}"`;
}

function unquote(raw: string): string | undefined {
  const text = raw.trimEnd();
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1);
  // In double quotes a backslash is itself unless one of the four special characters follows it (POSIX shell 2.2.3).
  if (/^"(?:[^"$`\\]|\\.)*"$/u.test(text)) return text.slice(1, -1).replaceAll(/\\(["$`\\])/g, '$1');
  return /^[\p{L}\p{N}._+:,/@%^=-]*$/u.test(text) ? text : undefined;
}

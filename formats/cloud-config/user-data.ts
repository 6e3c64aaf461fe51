/**
 * What a machine was given as user data: a cloud-config, a script, a config for Ignition, or nothing. Told apart by the
 * first line, as coreos-cloudinit did it; gzip around it is taken off.
 */
import {gunzipSync} from 'node:zlib';
import {CodedError} from '../errors.ts';
import {MIB} from '../units.ts';

export type UserData =
  | {readonly kind: 'cloud-config'; readonly text: string}
  /** Begins with `#!`. */
  | {readonly kind: 'script'; readonly text: string}
  /** Applied in the initrd, before this program could run. */
  | {readonly kind: 'ignition'}
  | {readonly kind: 'empty'};

export type UserDataErrorCode = 'too-large' | 'not-text' | 'unknown-kind';
export class UserDataError extends CodedError<UserDataErrorCode> {}

/** Clouds allow 16 to 64 KiB; a config drive or a firmware file may hold more, with files in base64. */
export const MAX_USER_DATA_BYTES = 2 * MIB;
export const CLOUD_CONFIG_HEADER = '#cloud-config';

/** Throws UserDataError, which names `where` the data came from. */
export function readUserData(data: Uint8Array, where: string): UserData {
  const text = decode(unpackUserData(checkSize(data, where), where), where);
  if (text.trim() === '') return {kind: 'empty'};
  const [first = ''] = text.split('\n', 1);
  // Trailing blanks are allowed, leading ones are not (coreos-cloudinit, config/config.go).
  if (first.trimEnd() === CLOUD_CONFIG_HEADER) return {kind: 'cloud-config', text};
  if (text.startsWith('#!')) return {kind: 'script', text};
  if (isIgnition(text)) return {kind: 'ignition'};
  throw new UserDataError(
    'unknown-kind',
    `${where}: the first line is ${JSON.stringify(first.slice(0, 60))}, neither ${CLOUD_CONFIG_HEADER} nor a script's #!`,
    {hint: hintFor(first)},
  );
}

function checkSize(data: Uint8Array, where: string): Uint8Array {
  if (data.length <= MAX_USER_DATA_BYTES) return data;
  throw new UserDataError('too-large', `${where}: more than ${MAX_USER_DATA_BYTES} bytes of user data`, {
    hint: 'large files belong on a server; fetch them with a unit',
  });
}

/** Takes gzip off, if there is any. Throws UserDataError. */
export function unpackUserData(data: Uint8Array, where: string): Uint8Array {
  // RFC 1952, 2.3.1: ID1 and ID2.
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data;
  try {
    return gunzipSync(data, {maxOutputLength: MAX_USER_DATA_BYTES});
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    if (isTooLarge)
      throw new UserDataError('too-large', `${where}: unpacks to more than ${MAX_USER_DATA_BYTES} bytes`, {
        cause: error,
      });
    throw new UserDataError('not-text', `${where}: damaged gzip data`, {cause: error});
  }
}

function decode(data: Uint8Array, where: string): string {
  try {
    const text = new TextDecoder('utf-8', {fatal: true}).decode(data);
    if (!text.includes('\0')) return text;
  } catch {
    // Falls through: the same answer for both.
  }
  throw new UserDataError('not-text', `${where}: not text in UTF-8`, {
    hint: 'content of files that is no text goes into write_files with encoding: base64',
  });
}

function isIgnition(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && ('ignition' in value || 'ignitionVersion' in value);
  } catch {
    return false;
  }
}

function hintFor(first: string): string {
  if (/^(content-type|mime-version):/i.test(first))
    return 'archives of several parts (MIME) are not supported: give the cloud-config alone';
  if (/^#\s*cloud-config/i.test(first) || first.trim() === CLOUD_CONFIG_HEADER)
    return `write the first line as ${CLOUD_CONFIG_HEADER}, without blanks before or within`;
  if (/^\s*\{/.test(first)) return 'a config for Ignition has "ignition" at its top and is valid JSON';
  return `begin with a line ${CLOUD_CONFIG_HEADER}`;
}

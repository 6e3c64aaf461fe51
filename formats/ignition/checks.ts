/** Rules about single values that both tables share; the words that Ignition would use come from Ignition itself. */
import {quote} from './shape.ts';

export function checkPath(text: string): string | null {
  if (!text.startsWith('/')) return `${quote(text)} does not begin with /`;
  if (text.includes('\0')) return `${quote(text)} has a NUL in it`;
  const clean = `/${text
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
  return clean === text && !text.split('/').includes('..')
    ? null
    : `${quote(text)} is written in a roundabout way`;
}

export function checkMode(mode: number): string | null {
  if (mode < 0 || mode > 0o7777) return `${mode} is no mode`;
  // 644 and 755 as decimal numbers are 01204 and 01363, which nobody means.
  if ([444, 400, 440, 555, 600, 640, 644, 660, 664, 700, 711, 750, 755, 770, 775, 777].includes(mode))
    return `${mode} is the decimal number, 0${mode.toString(8)} in octal; 0${mode} is ${Number.parseInt(String(mode), 8)}`;
  return null;
}

export function checkUnitName(text: string): string | null {
  const isUnit =
    /^[A-Za-z0-9:_.\\@-]{1,255}$/.test(text) &&
    /[^.]\.(service|socket|device|mount|automount|swap|target|path|timer|snapshot|slice|scope)$/.test(text);
  return isUnit ? null : `${quote(text)} is no name of a unit`;
}

export function checkDropInName(text: string): string | null {
  return /^[^/\0]{1,255}$/.test(text) && text.endsWith('.conf')
    ? null
    : `${quote(text)} does not end with .conf`;
}

export function checkHash(text: string): string | null {
  if (/^sha256-[0-9a-f]{64}$/.test(text) || /^sha512-[0-9a-f]{128}$/.test(text)) return null;
  return `${quote(text)} is neither sha256- with 64 nor sha512- with 128 hex digits`;
}

export function checkSource(text: string): string | null {
  if (text === '' || /^data:/.test(text)) return null;
  if (URL.canParse(text) && /^(https?|tftp|s3|arn|gs):/.test(text)) return null;
  return `${quote(text)} is no address: http, https, tftp, s3, gs or data`;
}

export function checkCompression(text: string): string | null {
  return text === '' || text === 'gzip' ? null : `${quote(text)} is not gzip`;
}

/** A name that useradd(8) of Debian takes. */
export function checkAccount(text: string): string | null {
  return /^[a-z_][a-z0-9_-]{0,31}\$?$/.test(text) ? null : `${quote(text)} is no name of an account`;
}

export function checkNotEmpty(text: string): string | null {
  return text === '' ? 'is empty' : null;
}

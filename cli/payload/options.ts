/** What the sub-commands of `caisson payload` share. */
import {basename, dirname, join} from 'node:path';
import {findKeyFiles, readPublicKeys} from '../../payload/key-files.ts';
import type {NamedKey} from '../../payload/inspection.ts';
import type {Work} from '../../payload/assemble.ts';
import {CodedError} from '../../formats/errors.ts';
import {DEFAULT_KEYS_DIR} from '../paths.ts';
import {terminalLog} from '../terminal.ts';

/** A combination of options that makes no sense; exit code 2. */
export class PayloadUsageError extends CodedError<'usage'> {}

export const JSON_OPTION = {type: 'boolean', default: false, describe: 'Print JSON'} as const;

const KEY_FILES = {type: 'string', array: true, default: [] as string[]} as const;

/** `--key` of commands that sign. */
export const SIGNING_KEY_OPTION = {
  ...KEY_FILES,
  defaultDescription: 'keys/*.key.pem',
  describe: 'Private key in PEM that signs; each one named signs',
} as const;

/** `--key` of commands that believe signatures; `what` has to have one. */
export function trustedKeyOption(what: string) {
  return {
    ...KEY_FILES,
    defaultDescription: 'keys/*.pub.pem',
    describe: `Public key in PEM that your hosts trust; one of them must have signed ${what}`,
  } as const;
}

/** Those named, or without any those in keys/. */
export async function publicKeysOrDefault(paths: readonly string[]): Promise<NamedKey[]> {
  return readPublicKeys(paths.length > 0 ? paths : await findKeyFiles(DEFAULT_KEYS_DIR, 'public'));
}

/** Runs `work` as a step with progress in bytes. */
export async function withProgress<T>(
  title: string,
  totalBytes: number,
  signal: AbortSignal,
  work: (options: Work) => Promise<T>,
): Promise<T> {
  return terminalLog(false).step(title, (progress) => {
    let done = 0;
    return work({signal, onBytes: (count) => progress.update((done += count), totalBytes)});
  });
}

/** Beside a payload: what is to be signed elsewhere, 32 bytes each. */
export function digestFilesOf(payload: string): {metadata: string; payload: string} {
  const file = (part: string): string => join(dirname(payload), `${basename(payload)}.${part}.sha256`);
  return {metadata: file('metadata'), payload: file('payload')};
}

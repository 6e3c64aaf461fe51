/** The keys that may sign payloads: every PEM file in the folder of /usr, which verity protects. */
import type {KeyObject} from 'node:crypto';
import {readFile, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {decodePublicKey} from '../../formats/payload/keys.ts';
import {PayloadError} from '../../formats/payload/types.ts';

/**
 * Throws PayloadError 'untrusted' when there is none, or one cannot be read: a release whose trust is in doubt takes
 * nothing at all.
 */
export async function readTrustedKeys(folder: string): Promise<KeyObject[]> {
  const keys = await readKeys(folder);
  if (keys.length === 0) {
    throw new PayloadError('untrusted', `no key in ${folder}: this release trusts no payload`, {
      hint: 'build images with --update-key, and see: caisson keys --help',
    });
  }
  return keys;
}

/** Every key in the folder, which need not be there. Throws PayloadError when one cannot be read. */
export async function readKeys(folder: string): Promise<KeyObject[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const paths = names.filter((name) => name.endsWith('.pem')).sort();
  return Promise.all(
    paths.map(async (name) =>
      decodePublicKey(await readFile(join(folder, name), 'utf8'), join(folder, name)),
    ),
  );
}

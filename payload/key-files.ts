/** Keys and signatures from files. */
import type {KeyObject} from 'node:crypto';
import {readFile, readdir, stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {decodePrivateKey, decodePublicKey} from '../formats/payload/keys.ts';
import {pathExists} from '../platform/files.ts';
import {MakePayloadError} from './errors.ts';
import type {NamedKey} from './inspection.ts';

/** An 8192-bit private key in PEM has 6.4 kB. */
const MAX_KEY_FILE_BYTES = 64 * 1024;
const PUBLIC_ENDING = '.pub.pem';
const PRIVATE_ENDING = '.key.pem';

/** Throws MakePayloadError 'no-key' when a file cannot be read, PayloadError 'untrusted' when it holds no such key. */
export async function readPrivateKeys(paths: readonly string[]): Promise<KeyObject[]> {
  return Promise.all(paths.map(async (path) => decodePrivateKey(await readKeyFile(path, 'latin1'), path)));
}

export async function readPublicKeys(paths: readonly string[]): Promise<NamedKey[]> {
  return Promise.all(
    paths.map(async (path) => ({
      name: basename(path).replace(/(\.pub)?\.pem$/, ''),
      key: decodePublicKey(await readKeyFile(path, 'latin1'), path),
    })),
  );
}

/** Raw bytes, as `openssl pkeyutl -sign` writes them. */
export async function readSignatures(paths: readonly string[]): Promise<Uint8Array[]> {
  return Promise.all(paths.map(async (path) => Buffer.from(await readKeyFile(path, 'hex'), 'hex')));
}

/** The keys that `caisson keys` made in this folder, sorted by name; none when there is no such folder. */
export async function findKeyFiles(folder: string, which: 'private' | 'public'): Promise<string[]> {
  if (!(await pathExists(folder))) return [];
  const ending = which === 'private' ? PRIVATE_ENDING : PUBLIC_ENDING;
  const names = (await readdir(folder)).filter((name) => name.endsWith(ending)).sort();
  return names.map((name) => join(folder, name));
}

async function readKeyFile(path: string, encoding: 'latin1' | 'hex'): Promise<string> {
  try {
    const {size} = await stat(path);
    if (size > MAX_KEY_FILE_BYTES)
      throw new MakePayloadError('no-key', `${path} has ${size} bytes, more than any key or signature`);
    return await readFile(path, encoding);
  } catch (error) {
    if (error instanceof MakePayloadError) throw error;
    throw new MakePayloadError('no-key', `cannot read ${path}: ${(error as Error).message}`, {cause: error});
  }
}

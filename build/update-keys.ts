/**
 * The public keys that a release trusts: whoever holds one of the private halves can update its hosts. They lie in
 * /usr, under verity, and nowhere else, so a host cannot be talked into another key without an update signed by these.
 */
import {mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {CodedError} from '../formats/errors.ts';
import {decodePublicKey, keyFingerprint} from '../formats/payload/keys.ts';
import {PayloadError} from '../formats/payload/types.ts';
import {pathExists} from '../platform/files.ts';

export class UpdateKeyError extends CodedError<'unreadable' | 'bad-key' | 'same-name'> {}

export interface UpdateKey {
  /** Of the file on the host, without ending. */
  name: string;
  /** PEM, as Node writes it: the same key has one form, wherever it came from. */
  pem: string;
  /** SHA-256 of the key as SubjectPublicKeyInfo in DER, hex. */
  sha256: string;
}

/** The folder of the repository where `caisson keys` leaves keys, and the ending of public ones. */
const DEFAULT_FOLDER = 'keys';
const PUBLIC_ENDING = '.pub.pem';
const KEYS_IN_USR = 'usr/share/caisson/update-keys';
const MAX_PEM_BYTES = 16 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads the keys in these files; without any, those that `caisson keys` made. Sorted by name. */
export async function readUpdateKeys(files: readonly string[], rootDir: string): Promise<UpdateKey[]> {
  const paths = files.length > 0 ? files : await defaultKeyFiles(rootDir);
  const keys = await Promise.all(paths.map(async (path) => parseUpdateKey(await readKeyFile(path), path)));
  const byName = new Map<string, string>();
  for (const {name, sha256} of keys) {
    if ((byName.get(name) ?? sha256) !== sha256)
      throw new UpdateKeyError('same-name', `two update keys are called ${name}`, {
        hint: 'rename one of the files',
      });
    byName.set(name, sha256);
  }
  const unique = new Map(keys.map((key) => [key.name, key]));
  return [...unique.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Throws UpdateKeyError 'bad-key' for anything but a key that payloads can be signed with. */
export function parseUpdateKey(pem: string, path: string): UpdateKey {
  const name = basename(path).replace(/(\.pub)?\.pem$/, '');
  if (!NAME.test(name))
    throw new UpdateKeyError('bad-key', `${path}: ${JSON.stringify(name)} cannot be the name of a key`, {
      hint: 'letters, digits, dots, hyphens and underscores, at most 64',
    });
  try {
    const key = decodePublicKey(pem, path);
    return {name, pem: key.export({type: 'spki', format: 'pem'}).toString(), sha256: keyFingerprint(key)};
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    throw new UpdateKeyError('bad-key', error.message, {
      cause: error,
      hint: 'caisson keys makes a pair; the public half ends in .pub.pem',
    });
  }
}

/** Puts the keys where the programs of the host look for them; the folder is there without any key, too. */
export async function installUpdateKeys(tree: string, keys: readonly UpdateKey[]): Promise<void> {
  const folder = join(tree, KEYS_IN_USR);
  await mkdir(folder, {recursive: true});
  for (const {name, pem} of keys) await writeFile(join(folder, `${name}.pem`), pem);
}

async function defaultKeyFiles(rootDir: string): Promise<string[]> {
  const folder = join(rootDir, DEFAULT_FOLDER);
  if (!(await pathExists(folder))) return [];
  return (await readdir(folder))
    .filter((name) => name.endsWith(PUBLIC_ENDING))
    .map((name) => join(folder, name));
}

async function readKeyFile(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_PEM_BYTES)
      throw new UpdateKeyError(
        'bad-key',
        `${path} has ${bytes.length} bytes, a key at most ${MAX_PEM_BYTES}`,
      );
    return bytes.toString('latin1');
  } catch (error) {
    if (error instanceof UpdateKeyError) throw error;
    throw new UpdateKeyError('unreadable', `cannot read the update key ${path}`, {cause: error});
  }
}

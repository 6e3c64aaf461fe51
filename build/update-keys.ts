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

export class UpdateKeyError extends CodedError<'unreadable' | 'bad-key' | 'same-name' | 'same-key'> {}

export interface UpdateKey {
  /** Of the file on the host, without ending. */
  name: string;
  /** PEM, as Node writes it: the same key has one form, wherever it came from. */
  pem: string;
  /** SHA-256 of the key as SubjectPublicKeyInfo in DER, hex. */
  sha256: string;
}

/** What a key is trusted with: where it lies by default, and where in /usr. */
export type KeyPurpose = 'update' | 'channel';
/** The folders of the repository where `caisson keys` leaves keys, and the ending of public ones. */
const DEFAULT_FOLDERS = {update: 'keys', channel: 'keys/channel'} as const;
const PUBLIC_ENDING = '.pub.pem';
const KEYS_IN_USR = 'usr/share/caisson/update-keys';
const CHANNEL_KEYS_IN_USR = 'usr/share/caisson/channel-keys';
const MAX_PEM_BYTES = 16 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads the keys in these files; without any, those that `caisson keys` made. Sorted by name. */
export async function readUpdateKeys(
  files: readonly string[],
  rootDir: string,
  purpose: KeyPurpose = 'update',
): Promise<UpdateKey[]> {
  const paths = files.length > 0 ? files : await defaultKeyFiles(rootDir, purpose);
  const keys = await Promise.all(paths.map(async (path) => parseUpdateKey(await readKeyFile(path), path)));
  const byName = new Map<string, string>();
  for (const {name, sha256} of keys) {
    if ((byName.get(name) ?? sha256) !== sha256)
      throw new UpdateKeyError('same-name', `two ${purpose} keys are called ${name}`, {
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
  await writeKeys(join(tree, KEYS_IN_USR), keys);
}

/** The same for those who sign channels; without any key there is no folder either. */
export async function installChannelKeys(tree: string, keys: readonly UpdateKey[]): Promise<void> {
  if (keys.length > 0) await writeKeys(join(tree, CHANNEL_KEYS_IN_USR), keys);
}

async function writeKeys(folder: string, keys: readonly UpdateKey[]): Promise<void> {
  await mkdir(folder, {recursive: true});
  for (const {name, pem} of keys) await writeFile(join(folder, `${name}.pem`), pem);
}

/** Throws UpdateKeyError 'same-key' for one that would be trusted with both. */
export function requireApart(updateKeys: readonly UpdateKey[], channelKeys: readonly UpdateKey[]): void {
  const both = channelKeys.find(({sha256}) => updateKeys.some((each) => each.sha256 === sha256));
  if (both === undefined) return;
  throw new UpdateKeyError('same-key', `${both.name} is given as update key and as channel key`, {
    hint: 'a channel key lies on a server, and must not be able to sign releases: caisson keys --for channel',
  });
}

async function defaultKeyFiles(rootDir: string, purpose: KeyPurpose): Promise<string[]> {
  const folder = join(rootDir, DEFAULT_FOLDERS[purpose]);
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

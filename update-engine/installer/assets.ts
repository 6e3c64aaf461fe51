/**
 * What the installer brings besides the payload: the selector, and the keys that it trusts. In the image both lie in
 * /usr, which verity protects; the single file for other systems carries them in itself, and is then what the operator
 * has to trust.
 */
import {type KeyObject, createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {decodePublicKey} from '../../formats/payload/keys.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {readKeys, readTrustedKeys} from '../engine/trust.ts';
import {HOST_PATHS} from '../paths.ts';
import {InstallerError} from './errors.ts';

/** Set by a line in front of the program, which build/installer.ts writes. */
export const ASSETS_VARIABLE = 'caissonInstallAssets';

export interface EmbeddedAssets {
  /** Base64. */
  readonly selector: string;
  readonly selectorSha256: string;
  readonly keys: readonly EmbeddedKey[];
  /** Those that sign channels. */
  readonly channelKeys: readonly EmbeddedKey[];
}

interface EmbeddedKey {
  readonly name: string;
  readonly pem: string;
}

export const SELECTOR_PATH = '/usr/share/caisson/selector.efi';

/** Null in a program that was not packed as a single file. */
export function embeddedAssets(): EmbeddedAssets | null {
  const assets = (globalThis as Record<string, unknown>)[ASSETS_VARIABLE];
  return assets === undefined ? null : (assets as EmbeddedAssets);
}

/** Throws InstallerError 'refused' when there is none, or the file was changed. */
export async function readSelector(assets: EmbeddedAssets | null): Promise<Uint8Array> {
  if (assets === null) {
    return readFile(SELECTOR_PATH).catch((error: unknown) => {
      throw new InstallerError('refused', `this system has no ${SELECTOR_PATH}`, {
        cause: error,
        hint: 'on other systems use caisson-install.mjs of a release, which carries it',
      });
    });
  }
  const bytes = Buffer.from(assets.selector, 'base64');
  if (createHash('sha256').update(bytes).digest('hex') !== assets.selectorSha256)
    throw new InstallerError('refused', 'this program was changed: its selector has another SHA-256');
  return bytes;
}

/** Those of the files, if any are named; else those that came along. Throws PayloadError 'untrusted'. */
export async function readPayloadKeys(
  files: readonly string[],
  assets: EmbeddedAssets | null,
): Promise<readonly KeyObject[]> {
  if (files.length > 0) return decodeFiles(files);
  if (assets === null) return readTrustedKeys(HOST_PATHS.keys);
  if (assets.keys.length === 0)
    throw new PayloadError('untrusted', 'the release of this installer trusts no key', {
      hint: 'name the public key of the payload with --key',
    });
  return decodeEmbedded(assets.keys);
}

/** The same of those that sign channels; there may be none. */
export async function readChannelKeys(
  files: readonly string[],
  assets: EmbeddedAssets | null,
): Promise<readonly KeyObject[]> {
  if (files.length > 0) return decodeFiles(files);
  return assets === null ? readKeys(HOST_PATHS.channelKeys) : decodeEmbedded(assets.channelKeys);
}

function decodeFiles(files: readonly string[]): Promise<KeyObject[]> {
  return Promise.all(files.map(async (path) => decodePublicKey(await readFile(path, 'utf8'), path)));
}

function decodeEmbedded(keys: readonly EmbeddedKey[]): KeyObject[] {
  return keys.map(({name, pem}) => decodePublicKey(pem, name));
}

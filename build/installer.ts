/**
 * The installer as one file for any Linux with Node: the program of the host with the selector and the keys that its
 * release trusts in front of it. Whoever got the file by a way that can be trusted can trust what it installs.
 */
import {createHash} from 'node:crypto';

/** Contracts with update-engine/installer/assets.ts, which build/ does not import. */
const ASSETS_VARIABLE = 'caissonInstallAssets';
const HASHBANG = '#!/usr/bin/env node\n';

export interface InstallerParts {
  /** JavaScript, with a hashbang of its own. */
  program: string;
  selector: Uint8Array;
  keys: readonly EmbeddedKey[];
  /** Those that sign channels. */
  channelKeys: readonly EmbeddedKey[];
}

interface EmbeddedKey {
  name: string;
  pem: string;
}

export function packInstaller({program, selector, keys, channelKeys}: InstallerParts): string {
  const embedded = (list: readonly EmbeddedKey[]): EmbeddedKey[] => list.map(({name, pem}) => ({name, pem}));
  const assets = {
    selector: Buffer.from(selector).toString('base64'),
    selectorSha256: createHash('sha256').update(selector).digest('hex'),
    keys: embedded(keys),
    channelKeys: embedded(channelKeys),
  };
  const rest = program.replace(/^#!.*\n/, '');
  return `${HASHBANG}globalThis.${ASSETS_VARIABLE} = ${JSON.stringify(assets)};\n${rest}`;
}

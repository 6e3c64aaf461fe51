/**
 * The strict front of Ignition: is this a config at all, in JSON, of a version that the host reads? Ignition answers a
 * stray comma with an offset and a later version with "unsupported config version"; here both come with their place.
 * What the keys mean is checked by check-config.ts, and on the host by Ignition.
 */
import {UserDataError, unpackUserData} from '../cloud-config/user-data.ts';
import {JsonError, parseJsonTree} from '../json-tree.ts';
import {MIB} from '../units.ts';
import {IgnitionError} from './errors.ts';

export interface IgnitionConfig {
  /** `3.0.0` to `3.3.0`. */
  readonly version: string;
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** What a machine may be given otherwise, and which is left to others. */
export type Candidate =
  | {readonly kind: 'ignition'; readonly config: IgnitionConfig}
  /** cloud-config and scripts: caisson-cloudinit applies them. */
  | {readonly kind: 'not-ours'}
  | {readonly kind: 'empty'};

/** As much as caisson-cloudinit looks at: both read the same entry of QEMU's firmware configuration. */
export const MAX_IGNITION_BYTES = 2 * MIB;

/** Stable versions that Ignition 2.14 reads; the last is the one that the translator writes. */
export const IGNITION_VERSIONS = ['3.0.0', '3.1.0', '3.2.0', '3.3.0'] as const;
export const NEWEST_VERSION = '3.3.0';

/** Throws IgnitionError; `where` the data came from begins its message. */
export function readCandidate(packed: Uint8Array, where: string): Candidate {
  const text = decode(unpacked(packed, where), where);
  if (text.trim() === '') return {kind: 'empty'};
  // The same test as that of caisson-cloudinit: the first line decides.
  if (/^#cloud-config\s*$/m.test(text.split('\n', 1)[0] ?? '') || text.startsWith('#!'))
    return {kind: 'not-ours'};
  return {kind: 'ignition', config: readConfig(text, where)};
}

/** As caisson-cloudinit has it: what is packed may be for either. */
function unpacked(data: Uint8Array, where: string): Uint8Array {
  try {
    return unpackUserData(data, where);
  } catch (error) {
    if (!(error instanceof UserDataError)) throw error;
    throw new IgnitionError(error.code === 'too-large' ? 'too-large' : 'not-text', error.message, {
      cause: error,
    });
  }
}

/** Throws IgnitionError. */
export function readIgnitionConfig(data: Uint8Array, where: string): IgnitionConfig {
  return readConfig(decode(data, where), where);
}

function decode(data: Uint8Array, where: string): string {
  if (data.length > MAX_IGNITION_BYTES)
    throw new IgnitionError('too-large', `${where}: ${data.length} bytes, more than ${MAX_IGNITION_BYTES}`, {
      hint: 'put large files on a server, and name them with source and verification.hash',
    });
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(data);
  } catch (error) {
    throw new IgnitionError('not-text', `${where}: not text in UTF-8`, {cause: error});
  }
}

function readConfig(text: string, where: string): IgnitionConfig {
  const value = parseJson(text, where);
  if (!isObject(value))
    throw new IgnitionError('not-json', `${where}: no JSON object: a config is { "ignition": ... }`);
  const {ignition} = value;
  const version = isObject(ignition) ? ignition['version'] : undefined;
  if (typeof version !== 'string') {
    throw new IgnitionError('bad-version', `${where}: ignition.version is missing`, {
      hint: `for example {"ignition": {"version": "${NEWEST_VERSION}"}}`,
    });
  }
  if (!IGNITION_VERSIONS.some((known) => known === version))
    throw new IgnitionError(
      'bad-version',
      `${where}: ignition.version is ${JSON.stringify(version.slice(0, 40))}, this system reads ${IGNITION_VERSIONS.join(', ')}`,
      {hint: hintForVersion(version)},
    );
  return {version, text, value};
}

function hintForVersion(version: string): string {
  if (/^[12]\./.test(version)) return 'versions 1 and 2 are those of CoreOS; translate the config to 3.3.0';
  return 'a config that needs nothing newer may simply say 3.3.0';
}

/** JSON.parse decides; the place of the mistake comes from the reader that has places. */
function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new IgnitionError('not-json', `${where}: not JSON: ${whyNotJson(text)}`, {
      cause: error,
      hint: hintForText(text),
    });
  }
}

function hintForText(text: string): string {
  if (/^\s*#\s*cloud-config/i.test(text))
    return 'a cloud-config begins with a line #cloud-config, without blanks before or within';
  return 'YAML is translated first: caisson config translate FILE.bu';
}

function whyNotJson(text: string): string {
  try {
    parseJsonTree(text);
  } catch (error) {
    if (error instanceof JsonError) return error.message;
  }
  return 'it cannot be read';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

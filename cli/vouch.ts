/** What `caisson promote` asks of a payload before it points a channel to it. */
import {PayloadError} from '../formats/payload/types.ts';
import {keyFingerprint} from '../formats/payload/keys.ts';
import type {NamedKey} from '../payload/inspection.ts';
import {vouchForPayload} from '../payload/vouch.ts';
import {withByteSource} from '../platform/files.ts';
import {ServerError} from '../server/errors.ts';
import type {ServedRelease} from '../server/releases.ts';
import {withProgress} from './payload/options.ts';

/** Returns the key that signed it. Throws ServerError 'untrusted', or an error of reading. */
export async function vouchFor(
  {version, path, bytes}: Pick<ServedRelease, 'version' | 'path' | 'bytes'>,
  keys: readonly NamedKey[],
  signal: AbortSignal,
): Promise<NamedKey> {
  if (keys.length === 0) {
    throw new ServerError('untrusted', `there is no key to check the payload of release ${version} with`, {
      hint: 'name the public keys that your hosts trust: --key FILE',
    });
  }
  try {
    return await withProgress(`Checking the payload of ${version}`, 2 * bytes, signal, (work) =>
      withByteSource(path, (source) => vouchForPayload(source, keys, work)),
    );
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    throw error.code === 'untrusted' ? signedByNobody(version, path, keys, error) : notWhole(version, error);
  }
}

function signedByNobody(
  version: string,
  path: string,
  keys: readonly NamedKey[],
  cause: PayloadError,
): ServerError {
  const names = keys.map(({name, key}) => `${name} (${keyFingerprint(key).slice(0, 16)}...)`).join(', ');
  const count = keys.length === 1 ? 'the key' : 'any of the keys';
  return new ServerError(
    'untrusted',
    `the payload of release ${version} is not signed by ${count} ${names}`,
    {
      cause,
      hint: `--key names the public keys that your hosts trust; who signed it: caisson payload inspect ${path}`,
    },
  );
}

function notWhole(version: string, cause: PayloadError): ServerError {
  return new ServerError('untrusted', `the payload of release ${version} is damaged: ${cause.message}`, {
    cause,
    hint: `make it again: caisson payload make ${version}`,
  });
}

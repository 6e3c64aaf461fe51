/** RSA keys that sign payloads, and the public halves that hosts trust. */
import {type KeyObject, createHash, createPrivateKey, createPublicKey} from 'node:crypto';
import {MAX_KEY_BITS, MIN_KEY_BITS} from './limits.ts';
import {PayloadError} from './types.ts';

/** An exponent that is even or huge is no key, or one that takes minutes to verify. */
const MAX_EXPONENT = 2n ** 32n;

/** A public key from PEM (SubjectPublicKeyInfo or PKCS#1). Throws PayloadError 'untrusted'; `path` is for the message. */
export function decodePublicKey(pem: string, path: string): KeyObject {
  // Node would take the public half out of a private key, which should not lie where public ones are looked for.
  if (!/^-----BEGIN (RSA )?PUBLIC KEY-----/m.test(pem) || pem.includes('PRIVATE KEY'))
    throw new PayloadError('untrusted', `${path} is not a public key in PEM form`);
  return requireUsable(() => createPublicKey(pem), `${path} is not a public key in PEM form`, path);
}

/** A private key from PEM, unencrypted. Throws PayloadError 'untrusted'. */
export function decodePrivateKey(pem: string, path: string): KeyObject {
  return requireUsable(() => createPrivateKey(pem), `${path} is not a private key in PEM form`, path);
}

/** SHA-256 of the public half as SubjectPublicKeyInfo in DER, hex: the name of a key wherever one is shown. */
export function keyFingerprint(key: KeyObject): string {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  return createHash('sha256')
    .update(publicKey.export({type: 'spki', format: 'der'}))
    .digest('hex');
}

/** Also the length of its signatures. Throws PayloadError 'untrusted' unless it is an RSA key that we use. */
export function modulusBytesOf(key: KeyObject): number {
  const {modulusLength, publicExponent} = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa' || modulusLength === undefined || publicExponent === undefined)
    throw new PayloadError('untrusted', `a key of type ${key.asymmetricKeyType ?? key.type}, expected RSA`);
  if (modulusLength < MIN_KEY_BITS || modulusLength > MAX_KEY_BITS || modulusLength % 8 !== 0)
    throw new PayloadError(
      'untrusted',
      `an RSA key of ${modulusLength} bits, expected ${MIN_KEY_BITS} to ${MAX_KEY_BITS}`,
    );
  if (publicExponent < 3n || publicExponent >= MAX_EXPONENT || publicExponent % 2n === 0n)
    throw new PayloadError('untrusted', `an RSA key with public exponent ${publicExponent}`);
  return modulusLength / 8;
}

function requireUsable(read: () => KeyObject, complaint: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new PayloadError('untrusted', complaint, {cause: error});
  }
  try {
    modulusBytesOf(key);
  } catch (error) {
    throw new PayloadError('untrusted', `${path}: ${(error as Error).message}`, {cause: error});
  }
  return key;
}

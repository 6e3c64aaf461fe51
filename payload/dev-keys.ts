/**
 * A key pair for development: private key, public key, and a certificate of its own for tools that want one. Updates are
 * trusted by the public key alone; nothing in Caisson reads the certificate, so its library never decides trust.
 */
import {createHash, generateKeyPair} from 'node:crypto';
import {chmod, mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {keyFingerprint} from '../formats/payload/keys.ts';
import {MAX_KEY_BITS, MIN_KEY_BITS} from '../formats/payload/limits.ts';
import {pathExists, writeFileAtomic} from '../platform/files.ts';
import {MakePayloadError} from './errors.ts';

const PUBLIC_EXPONENT = 0x1_00_01;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Of the fingerprint, as serial number: 19 bytes stay below the 20 that RFC 5280 section 4.1.2.2 allows. */
const SERIAL_DIGITS = 38;

export interface KeyFiles {
  privateKey: string;
  publicKey: string;
  certificate: string;
}

export interface MakeKeysOptions {
  folder: string;
  /** Of the files: NAME.key.pem, NAME.pub.pem, NAME.crt.pem. */
  name: string;
  bits: number;
  /** Common name of the certificate. */
  subject: string;
  days: number;
  now: Date;
  /** Replace a key that is there. Hosts that trust only that one then refuse what is signed with the new. */
  force: boolean;
}

export interface MadeKeys extends KeyFiles {
  bits: number;
  fingerprint: string;
  notAfter: Date;
}

export function keyFilesOf(folder: string, name: string): KeyFiles {
  const file = (ending: string): string => join(folder, `${name}.${ending}.pem`);
  return {privateKey: file('key'), publicKey: file('pub'), certificate: file('crt')};
}

/** Throws MakePayloadError 'exists' or 'bad-key'. */
export async function makeKeys(options: MakeKeysOptions): Promise<MadeKeys> {
  const {folder, name, bits, days, now} = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
    throw new MakePayloadError('bad-key', `${JSON.stringify(name)} cannot be the name of a key`);
  if (!Number.isInteger(bits / 8) || bits < MIN_KEY_BITS || bits > MAX_KEY_BITS)
    throw new MakePayloadError('bad-key', `${bits} bits, expected ${MIN_KEY_BITS} to ${MAX_KEY_BITS}`);
  const files = keyFilesOf(folder, name);
  const {privateKey: keyFile, publicKey: publicFile, certificate: certificateFile} = files;
  for (const path of options.force ? [] : [keyFile, publicFile, certificateFile]) await requireFree(path);
  const {privateKey, publicKey} = await promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicExponent: PUBLIC_EXPONENT,
  });
  const pem = privateKey.export({type: 'pkcs8', format: 'pem'}).toString();
  const fingerprint = keyFingerprint(publicKey);
  const notAfter = new Date(now.getTime() + days * DAY_MS);
  const certificate = await certify(pem, {subject: options.subject, fingerprint, now, notAfter});
  await mkdir(folder, {recursive: true, mode: 0o700});
  await writeFileAtomic(files.privateKey, pem, 0o600);
  // An earlier file may have had another mode, and the mode given above is cut by the umask only.
  await chmod(files.privateKey, 0o600);
  await writeFileAtomic(files.publicKey, publicKey.export({type: 'spki', format: 'pem'}).toString());
  await writeFileAtomic(files.certificate, certificate);
  return {...files, bits, fingerprint, notAfter};
}

async function requireFree(path: string): Promise<void> {
  if (!(await pathExists(path))) return;
  throw new MakePayloadError('exists', `${path} is there already`, {
    hint: 'hosts that trust that key need it for their next update; choose another --name, or --force',
  });
}

async function certify(
  privateKeyPem: string,
  {subject, fingerprint, now, notAfter}: {subject: string; fingerprint: string; now: Date; notAfter: Date},
): Promise<string> {
  // Here, because it is large and every other command would load it for nothing.
  const {default: forge} = await import('node-forge');
  const {pki, md} = forge;
  const privateKey = pki.privateKeyFromPem(privateKeyPem);
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.setRsaPublicKey(privateKey.n, privateKey.e);
  // Positive: the first bit of a serial number is its sign.
  const serial = createHash('sha256').update(fingerprint).digest('hex').slice(0, SERIAL_DIGITS);
  certificate.serialNumber = `01${serial.slice(2)}`;
  certificate.validity.notBefore = now;
  certificate.validity.notAfter = notAfter;
  const name = [{name: 'commonName', value: subject}];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    {name: 'basicConstraints', cA: false, critical: true},
    {name: 'keyUsage', digitalSignature: true, critical: true},
    {name: 'extKeyUsage', codeSigning: true},
    {name: 'subjectKeyIdentifier'},
  ]);
  certificate.sign(privateKey, md.sha256.create());
  return pki.certificateToPem(certificate);
}

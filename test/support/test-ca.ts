/** A certificate authority for one test, with what it signs, as files. */
import {generateKeyPair} from 'node:crypto';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import forge from 'node-forge';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface TestCa {
  /** PEM file of its certificate. */
  readonly ca: string;
  /** Fit for both sides of a connection; servers by the address 127.0.0.1 unless another is named. */
  issue(name: string, options?: {address?: string; days?: number}): Promise<CertificateFiles>;
}

const DAY_MS = 24 * 3600 * 1000;
const {pki, md} = forge;

export async function makeTestCa(folder: string, name: string): Promise<TestCa> {
  const own = await makeKey();
  let serial = 1;
  const subjectOf = (commonName: string): forge.pki.CertificateField[] => [
    {name: 'commonName', value: commonName},
  ];

  function certify(
    subject: string,
    publicKey: forge.pki.PublicKey,
    days: number,
    extensions: object[],
  ): string {
    const certificate = pki.createCertificate();
    certificate.publicKey = publicKey;
    certificate.serialNumber = String((serial += 1)).padStart(4, '0');
    certificate.validity.notBefore = new Date(Date.now() - 30 * DAY_MS);
    certificate.validity.notAfter = new Date(Date.now() + days * DAY_MS);
    certificate.setSubject(subjectOf(subject));
    certificate.setIssuer(subjectOf(name));
    certificate.setExtensions(extensions);
    certificate.sign(own.privateKey, md.sha256.create());
    return pki.certificateToPem(certificate);
  }

  const ca = join(folder, `${name}.crt`);
  await writeFile(
    ca,
    certify(name, own.publicKey, 30, [
      {name: 'basicConstraints', cA: true, critical: true},
      {name: 'keyUsage', keyCertSign: true, critical: true},
    ]),
  );
  return {
    ca,
    async issue(subject, {address = '127.0.0.1', days = 30} = {}) {
      const pair = await makeKey();
      const files = {cert: join(folder, `${subject}.crt`), key: join(folder, `${subject}.key`)};
      const pem = certify(subject, pair.publicKey, days, [
        {name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true},
        {name: 'extKeyUsage', serverAuth: true, clientAuth: true},
        {name: 'subjectAltName', altNames: [{type: 7, ip: address}]},
      ]);
      await writeFile(files.cert, pem);
      await writeFile(files.key, pki.privateKeyToPem(pair.privateKey), {mode: 0o600});
      return files;
    },
  };
}

async function makeKey(): Promise<{privateKey: forge.pki.rsa.PrivateKey; publicKey: forge.pki.PublicKey}> {
  const {privateKey} = await promisify(generateKeyPair)('rsa', {modulusLength: 2048});
  const made = pki.privateKeyFromPem(privateKey.export({type: 'pkcs1', format: 'pem'}).toString());
  return {privateKey: made, publicKey: pki.setRsaPublicKey(made.n, made.e)};
}

/**
 * The connection to etcd as the settings have it. Certificates are files that someone renews while the engine runs, so
 * they are read again before each use, and the connections are made anew when one has changed.
 */
import {X509Certificate, createPrivateKey} from 'node:crypto';
import {readFile, stat} from 'node:fs/promises';
import type {EtcdSettings} from '../formats/reboot-settings.ts';
import {isGroupName} from '../formats/semaphore/keys.ts';
import {type EtcdClient, type EtcdOptions, createEtcdClient} from '../platform/etcd/client.ts';
import type {HttpClientOptions, HttpExchange} from '../platform/http.ts';
import {LockError} from './lock.ts';

export type CreateHttp = (options: HttpClientOptions) => HttpExchange & {close(): Promise<void>};

export interface EtcdSession {
  /** Throws LockError 'certificate'. */
  client(): Promise<EtcdClient>;
  close(): Promise<void>;
}

interface Files {
  readonly ca: string | undefined;
  readonly identity: {readonly cert: string; readonly key: string} | undefined;
}

/** A chain of certificates has a few KiB. */
const MAX_PEM_BYTES = 1 << 20;

/** Throws LockError 'settings' for what cannot work whatever etcd says. */
export function openEtcdSession(
  settings: EtcdSettings,
  createHttp: CreateHttp,
  timeouts: Pick<EtcdOptions, 'attemptTimeoutMs' | 'timeoutMs'> = {},
): EtcdSession {
  requireSense(settings);
  const {username, password} = settings;
  const endpoints = settings.endpoints.map((endpoint) => endpoint.replace(/\/+$/, ''));
  let current: {key: string; client: EtcdClient; close: () => Promise<void>} | undefined;
  return {
    async client() {
      const files = await readFiles(settings);
      const key = JSON.stringify(files);
      if (current?.key === key) return current.client;
      const before = current;
      const http = createHttp({
        // A proxy is for the world outside; what stands between hosts and their etcd is not meant.
        isDirect: true,
        ca: files.ca,
        isCaAlone: files.ca !== undefined,
        identity: files.identity,
      });
      const user = username === null || password === null ? null : {name: username, password};
      const client = createEtcdClient({endpoints, http, tls: files, user, ...timeouts});
      current = {key, client, close: () => http.close()};
      await before?.close();
      return client;
    },
    async close() {
      const before = current;
      current = undefined;
      await before?.close();
    },
  };
}

function requireSense({endpoints, certFile, keyFile, username, password, group}: EtcdSettings): void {
  const complain = (message: string): never => {
    throw new LockError('settings', message);
  };
  if (endpoints.length === 0) complain('no endpoint of etcd is set');
  for (const endpoint of endpoints) {
    const protocol = URL.canParse(endpoint) ? new URL(endpoint).protocol : '';
    if (!['http:', 'https:'].includes(protocol))
      complain(
        `${JSON.stringify(endpoint)} is not the address of an etcd member, expected http:// or https://`,
      );
  }
  if ((certFile === null) !== (keyFile === null))
    complain(`a client certificate needs its key, got certificate ${certFile} and key ${keyFile}`);
  if ((username === null) !== (password === null))
    complain('a user of etcd needs a password, and a password a user');
  if (!isGroupName(group)) complain(`${JSON.stringify(group.slice(0, 100))} cannot be the name of a group`);
}

async function readFiles({caFile, certFile, keyFile}: EtcdSettings): Promise<Files> {
  const ca = caFile === null ? undefined : await readPem(caFile);
  if (caFile !== null && ca !== undefined) parseCertificate(caFile, ca);
  if (certFile === null || keyFile === null) return {ca, identity: undefined};
  const [cert, key] = [await readPem(certFile), await readPem(keyFile)];
  const certificate = parseCertificate(certFile, cert);
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw bad(`${keyFile} holds no private key: ${(error as Error).message}`, error);
  }
  if (!fits) throw bad(`the key in ${keyFile} does not belong to the certificate in ${certFile}`);
  return {ca, identity: {cert, key}};
}

function parseCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw bad(`${path} holds no certificate: ${(error as Error).message}`, error);
  }
}

async function readPem(path: string): Promise<string> {
  try {
    const {size} = await stat(path);
    if (size > MAX_PEM_BYTES) throw bad(`${path} has ${size} bytes, more than any certificate`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof LockError) throw error;
    throw bad(`cannot read ${path}: ${(error as Error).message}`, error);
  }
}

function bad(message: string, cause?: unknown): LockError {
  return new LockError('certificate', message, {cause});
}

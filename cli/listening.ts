/** What the commands that serve have in common: certificate, address, and how they end. */
import {readFile} from 'node:fs/promises';
import type {Options} from 'yargs';
import {CodedError} from '../formats/errors.ts';

export class ServingUsageError extends CodedError<'usage'> {}

export const TLS_OPTIONS = {
  'tls-cert': {type: 'string', describe: 'Certificate and its chain (PEM): serve HTTPS'},
  'tls-key': {type: 'string', describe: 'Its private key (PEM)'},
} as const satisfies Record<string, Options>;

export const URL_OPTION = {
  type: 'string',
  describe: 'How hosts reach this server, if not by the name they ask for (behind a proxy)',
} as const satisfies Options;

export interface TlsArguments {
  'tls-cert'?: string;
  'tls-key'?: string;
}

/** A host in the middle of a payload goes on with the next server; this is for short answers. */
const GRACE_MS = 5000;

/** Null without TLS. Throws ServingUsageError, and what reading the files throws. */
export async function readTls({
  'tls-cert': cert,
  'tls-key': key,
}: TlsArguments): Promise<{cert: string; key: string} | null> {
  if (cert === undefined && key === undefined) return null;
  if (cert === undefined || key === undefined)
    throw new ServingUsageError('usage', '--tls-cert and --tls-key go together');
  return {cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8')};
}

/** Throws ServingUsageError. */
export function checkUrl(url: string | undefined, option = '--url'): string | null {
  if (url === undefined) return null;
  if (!URL.canParse(url) || !/^https?:/.test(url) || /[?#]/.test(url))
    throw new ServingUsageError('usage', `${option} ${url} is no http or https address`);
  return url;
}

/** Until a person ends it; then answers that were begun have a moment. */
export async function serveUntil(
  signal: AbortSignal,
  server: {close(graceMs: number): Promise<void>},
): Promise<void> {
  await new Promise<void>((done) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done(), {once: true});
  });
  await server.close(GRACE_MS);
}

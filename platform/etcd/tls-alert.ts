/**
 * Why a server hangs up on us over TLS. One that does not like our certificate says so in an alert after the handshake
 * of TLS 1.3, and the HTTP library reports only that the other side closed. So the handshake is done once more, by
 * itself, to hear the alert.
 */
import {connect} from 'node:tls';

export interface TlsFiles {
  /** PEM. */
  readonly ca?: string | undefined;
  readonly identity?: {readonly cert: string; readonly key: string} | undefined;
}

/** An alert follows the handshake within a round trip. */
const PATIENCE_MS = 2000;

/** The error of TLS with which the server refuses us; null when it says nothing. Never throws. */
export async function findTlsAlert(
  endpoint: string,
  {ca, identity}: TlsFiles,
  signal: AbortSignal,
): Promise<Error | null> {
  const {hostname, port} = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    // A name for the certificate; addresses are not sent.
    ...(/^[\d.]+$|:/.test(host) ? {} : {servername: host}),
    ...(ca === undefined ? {} : {ca}),
    ...identity,
  });
  return new Promise((resolve) => {
    const end = (alert: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(alert);
    };
    const onAbort = (): void => end(null);
    const timer = setTimeout(onAbort, PATIENCE_MS);
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(error.code?.startsWith('ERR_SSL_') === true ? error : null),
    );
    socket.on('close', onAbort);
    socket.resume();
  });
}

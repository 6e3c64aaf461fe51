/**
 * From what a member answers, or how a connection failed, to an error with a name. etcd's gateway gives the gRPC status
 * as a number and a sentence; the sentences (api/v3rpc/rpctypes) are more exact than the numbers.
 */
import {HttpError} from '../http-error.ts';
import {EtcdError, type EtcdErrorCode} from './errors.ts';

interface Saying {
  readonly pattern: RegExp;
  readonly code: EtcdErrorCode;
  /** Whether a write that got this answer may have happened. */
  readonly mayBeDone: boolean;
  readonly hint?: string;
}

const PASSWORD_HINT = 'give the name and the password of a user that etcd knows';

/** The first that matches. */
const SAYINGS: readonly Saying[] = [
  {
    pattern: /no leader/,
    code: 'no-quorum',
    mayBeDone: true,
    hint: 'more than half of the members must run and reach each other; see etcdctl endpoint status --cluster',
  },
  {
    pattern: /database space exceeded|no space/i,
    code: 'read-only',
    mayBeDone: false,
    hint: 'compact and defragment etcd or raise its quota, then clear the alarm with etcdctl alarm disarm',
  },
  {
    pattern: /not supported for learner/,
    code: 'read-only',
    mayBeDone: false,
    hint: 'this member is still learning; name the voting members as endpoints',
  },
  {
    pattern: /corrupt cluster|alarm/,
    code: 'read-only',
    mayBeDone: false,
    hint: 'see etcdctl alarm list',
  },
  {
    pattern: /permission denied/,
    code: 'credentials',
    mayBeDone: false,
    hint: 'grant the user readwrite on the prefix coreos.com/updateengine/rebootlock/',
  },
  {
    pattern:
      /user name is empty|user name not found|invalid user ID or password|invalid auth token|auth store/,
    code: 'credentials',
    mayBeDone: false,
    hint: PASSWORD_HINT,
  },
  // A request that waited in vain may sit in the log of a leader that cannot tell the others.
  {pattern: /request timed out|deadline exceeded|leader changed/, code: 'timed-out', mayBeDone: true},
  {
    pattern: /server stopped|stopping|connection (error|refused)|unavailable/i,
    code: 'unreachable',
    mayBeDone: true,
  },
];

/** Of an answer that is no 200. */
export function faultOfAnswer(endpoint: string, status: number, saying: string): EtcdError {
  const known = SAYINGS.find(({pattern}) => pattern.test(saying));
  const words = saying.replace(/^etcdserver: /, '');
  return new EtcdError(known?.code ?? 'refused', `etcd at ${endpoint} answered ${status}: ${words}`, {
    mayBeDone: known?.mayBeDone ?? status >= 500,
    hint: known?.hint,
    saying,
  });
}

/** Of a request that got no whole answer. `isLate`: because its time was over. */
export function faultOfRequest(endpoint: string, error: unknown, isLate: boolean): EtcdError {
  if (error instanceof EtcdError) return error;
  if (isLate || (error instanceof HttpError && error.code === 'too-slow'))
    return new EtcdError('timed-out', `etcd at ${endpoint} did not answer in time`, {
      cause: error,
      mayBeDone: true,
    });
  const {message} = error as Error;
  if (error instanceof HttpError && error.code === 'untrusted')
    return new EtcdError('certificate', `etcd at ${endpoint}: ${explainTls(message)}`, {
      cause: error,
      // Not sure: the connection may have been spoiled after it was made.
      mayBeDone: true,
      hint: tlsHint(message),
    });
  if (error instanceof HttpError && error.code === 'too-long')
    return new EtcdError('not-etcd', `etcd at ${endpoint}: ${message}`, {cause: error, mayBeDone: true});
  return new EtcdError('unreachable', `etcd at ${endpoint} cannot be reached: ${message}`, {
    cause: error,
    mayBeDone: !wasNeverSent(error),
    hint: reachHint(endpoint, message),
  });
}

function reachHint(endpoint: string, message: string): string {
  if (!/closed|disconnected/.test(message))
    return 'see whether etcd runs, and whether this is an address of its clients';
  return endpoint.startsWith('http:')
    ? 'if etcd speaks TLS there, name the endpoint with https://'
    : 'if etcd does not speak TLS there, name the endpoint with http://';
}

/** Errors of the time before a connection was there; only after them is it certain that nobody was asked. */
function wasNeverSent(error: unknown): boolean {
  const codes = [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
  ];
  for (let each = error; each instanceof Error; each = each.cause) {
    const {code} = each as {code?: unknown};
    if (typeof code === 'string' && codes.includes(code)) return true;
  }
  return false;
}

/** OpenSSL names the alert of the other side at the end of a long line; what it means for us is more useful. */
function explainTls(message: string): string {
  if (/alert (certificate required|handshake failure|number 116)/i.test(message))
    return 'it wants a client certificate, and none was shown';
  const alert = /alert ([a-z ]*?certificate[a-z ]*|unknown ca)/i.exec(message)?.[1];
  if (alert !== undefined) return `it refuses our client certificate (${alert.toLowerCase().trim()})`;
  if (/wrong version number|packet length too long/i.test(message)) return 'it does not speak TLS';
  return message;
}

function tlsHint(message: string): string {
  if (/alert/i.test(message))
    return 'etcd wants a client certificate that its CA signed, for use by clients, and that is not expired';
  if (/wrong version number|packet length too long/i.test(message))
    return 'name the endpoint with http://, or give etcd a certificate';
  return 'the CA file must hold the CA that signed the certificate of etcd, and that must carry the name or address of the endpoint';
}

/** What can go wrong between us and a web server, whichever module of platform/ talks to it. */
import {CodedError} from '../formats/errors.ts';

export type HttpErrorCode =
  | 'unreachable'
  /** No connection that TLS would vouch for. */
  | 'untrusted'
  | 'bad-status'
  | 'too-many-redirections'
  | 'too-slow'
  | 'too-long'
  | 'wrong-hash'
  | 'wrong-length'
  /** An answer that HTTP does not allow, or that nobody asked for. */
  | 'bad-answer'
  /** The connection ended before the body did. */
  | 'broken-off'
  /** Another file lies under the address than the one that was begun or announced. */
  | 'changed';

export class HttpError extends CodedError<HttpErrorCode> {
  /** The status of a `bad-status` answer. */
  readonly status: number | undefined;

  constructor(
    code: HttpErrorCode,
    message: string,
    options: {cause?: unknown; status?: number; hint?: string} = {},
  ) {
    const isPassing = code === 'unreachable' || code === 'broken-off';
    super(code, message, {...options, retryable: isPassing || (options.status ?? 0) >= 500});
    this.status = options.status;
  }
}

/** What the HTTP library threw, as an error of ours. `code` is for what has no better one. */
export function explainHttpFailure(
  url: string,
  error: unknown,
  code: 'unreachable' | 'broken-off' = 'unreachable',
): HttpError {
  if (error instanceof HttpError) return error;
  const root = rootOf(error);
  const message = root instanceof Error ? root.message || root.name : String(root);
  if (/redirect loop/i.test(message)) return endlessRedirection(url, error);
  if (isTlsFailure(root)) {
    return new HttpError('untrusted', `no trustworthy connection to ${originOf(url)}: ${message}`, {
      cause: error,
      hint: 'look at the clock of this machine, the name in the certificate, and who signed it',
    });
  }
  const what = code === 'unreachable' ? `cannot reach ${url}` : `${url} broke off`;
  return new HttpError(code, `${what}: ${message}`, {cause: error});
}

export function endlessRedirection(url: string, cause?: unknown): HttpError {
  return new HttpError(
    'too-many-redirections',
    `${url} leads in a circle, or on more than ${MAX_REDIRECTIONS} times`,
    {
      cause,
    },
  );
}

export const MAX_REDIRECTIONS = 5;

function rootOf(error: unknown): unknown {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  return current;
}

/** Codes of OpenSSL's certificate checks, as Node passes them on, and of a handshake that failed. */
function isTlsFailure(error: unknown): boolean {
  const code = error instanceof Error ? (error as {code?: unknown}).code : undefined;
  return (
    typeof code === 'string' &&
    /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/.test(
      code,
    )
  );
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

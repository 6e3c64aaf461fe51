/** What an operator can do about an error that says nothing of that itself. */
import {isCodedError} from '../../formats/errors.ts';
import {OmahaError, type OmahaErrorCode} from '../../formats/omaha/errors.ts';
import {PayloadError, type PayloadErrorCode} from '../../formats/payload/types.ts';
import {HttpError, type HttpErrorCode} from '../../platform/http-error.ts';

const NETWORK = 'look at SERVER and PROXY in /etc/caisson/update.conf and at the network; it is tried again';
const SERVER_FILE = 'the file on the server is not the one that was announced: publish the payload again';
const PROMISES = 'the server, or a cache before it, breaks the rules of HTTP; curl -v shows its answer';
const DAMAGED = 'the payload is damaged: compare its SHA-256 with the one that was published';
const NO_OMAHA = 'is SERVER in /etc/caisson/update.conf an update server, and its whole address?';

const HTTP_HINTS = {
  unreachable: NETWORK,
  untrusted: 'look at the clock of this machine, the name in the certificate, and who signed it (SERVER_CA)',
  'bad-status': 'the server says no: look at its log',
  'too-many-redirections': 'the server, or a proxy, sends its clients in a circle',
  'too-slow': 'the connection is too slow or was lost; what has arrived is kept, and it is tried again',
  'too-long': PROMISES,
  'wrong-hash': SERVER_FILE,
  'wrong-length': SERVER_FILE,
  'bad-answer': PROMISES,
  'broken-off': 'the connection was lost; what has arrived is kept, and it is tried again',
  changed: SERVER_FILE,
} as const satisfies Record<HttpErrorCode, string>;

const PAYLOAD_HINTS = {
  'bad-header': SERVER_FILE,
  'bad-manifest': DAMAGED,
  'bad-operation': DAMAGED,
  unsupported: 'the payload needs a newer engine than this one: update to a release between the two first',
  'bad-signature': DAMAGED,
  untrusted: 'hosts trust the keys of the release that they run: sign the payload with one of those',
  'wrong-hash': DAMAGED,
  'bad-patch': 'a delta fits one release only: offer this host the full payload',
  'bad-data': DAMAGED,
  truncated: DAMAGED,
} as const satisfies Record<PayloadErrorCode, string>;

const OMAHA_HINTS = {
  'too-large': NO_OMAHA,
  'bad-xml': NO_OMAHA,
  'bad-document': NO_OMAHA,
  refused: 'does the server know the group (GROUP) and this application?',
  'bad-value': 'look at GROUP and MACHINE_ALIAS in /etc/caisson/update.conf',
} as const satisfies Record<OmahaErrorCode, string>;

/** The error's own, or that of what caused it, comes first. */
export function hintOf(error: unknown): string | null {
  let general: string | null = null;
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    if (isCodedError(current) && current.hint !== undefined) return current.hint;
    general ??= generalHintOf(current);
  }
  return general;
}

function generalHintOf(error: Error): string | null {
  if (error instanceof HttpError) return HTTP_HINTS[error.code];
  if (error instanceof PayloadError) return PAYLOAD_HINTS[error.code];
  if (error instanceof OmahaError) return OMAHA_HINTS[error.code];
  const {code} = error as {code?: unknown};
  if (code === 'ENOSPC') return 'make room: df -h / shows how much there is, docker system prune frees some';
  if (code === 'EIO') return 'the disk may be failing: look at its SMART values and at dmesg';
  return null;
}

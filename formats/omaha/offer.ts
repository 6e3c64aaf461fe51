/**
 * What a client makes of an answer: nothing to do, an update, or a refusal; by the rules that update_engine of the
 * lineage has. It does not compare versions, and so neither does this: whether to install what is offered is for the
 * engine to decide.
 */
import {OmahaError} from './errors.ts';
import type {OmahaResponse, UpdateCheck, UpdateHold} from './response.ts';

export interface Offer {
  /** A word for people and for the engine's own checks; nothing signed says it yet. */
  readonly version: string;
  /** Where the payload lies, most preferred first. */
  readonly urls: readonly string[];
  readonly bytes: number;
  /** Of the payload, hex. */
  readonly sha256: string;
  readonly isDelta: boolean;
  readonly disableBackoff: boolean;
  readonly maxFailuresPerUrl: number;
}

export interface CheckOutcome {
  /** Null: there is nothing newer, or nothing yet. */
  readonly offer: Offer | null;
  /** Why there is nothing yet; null when there is nothing newer, or the server does not say. */
  readonly hold: UpdateHold | null;
  /** Clamped; null when the server has no wish. */
  readonly pollSeconds: number | null;
}

export const DEFAULT_MAX_FAILURES_PER_URL = 10;
/** Beyond that it is no limit any more. */
const HIGHEST_MAX_FAILURES_PER_URL = 1000;
/** A server must not hammer itself, nor put its hosts to sleep for good. */
export const MIN_POLL_SECONDS = 45 * 60;
export const MAX_POLL_SECONDS = 4 * 60 * 60;
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}$/;

/**
 * The outcome of the update check for `appId`. Throws OmahaError 'refused' when the server says no, and 'bad-document'
 * when the answer does not hold what an update needs.
 */
export function readOutcome(response: OmahaResponse, appId: string): CheckOutcome {
  // Stock clients take the first one unseen; a server that answers for several apps must not mislead us.
  const app =
    response.apps.find((each) => each.appId.toLowerCase() === appId.toLowerCase()) ?? response.apps[0];
  const check = app?.updateCheck;
  if (app === undefined || check === null || check === undefined) {
    const status = app?.status ?? '';
    if (status.startsWith('error'))
      throw new OmahaError('refused', `the server refused the check: ${status}`);
    throw new OmahaError('bad-document', 'the answer has no updatecheck');
  }
  const pollSeconds =
    check.pollSeconds === null
      ? null
      : Math.min(MAX_POLL_SECONDS, Math.max(MIN_POLL_SECONDS, check.pollSeconds));
  if (check.status === 'noupdate') return {offer: null, hold: check.hold, pollSeconds};
  if (check.status === 'ok') return {offer: readOffer(check), hold: null, pollSeconds};
  // Some servers put the reason into the status of the app, and only a general word here.
  const reason = app.status.startsWith('error')
    ? `${app.status} (${check.status})`
    : check.status || 'no status';
  throw new OmahaError('refused', `the server refused the check: ${reason}`, {retryable: true});
}

function readOffer({codebases, manifest}: UpdateCheck): Offer {
  const [payload] = manifest?.packages ?? [];
  const action = manifest?.actions.find(({event}) => event === 'postinstall');
  if (manifest === null || payload === undefined) throw incomplete('no package');
  if (!VERSION.test(manifest.version))
    throw incomplete(`version ${JSON.stringify(manifest.version.slice(0, 80))}`);
  if (codebases.length === 0) throw incomplete('no url');
  if (payload.bytes === 0) throw incomplete(`package ${payload.name} without a size`);
  if (action === undefined) throw incomplete('no action for postinstall');
  if (action.sha256 === null) throw incomplete('a postinstall action without sha256');
  if (payload.sha256 !== null && payload.sha256 !== action.sha256)
    throw incomplete(`two hashes for one payload, ${payload.sha256} and ${action.sha256}`);
  const maxFailures = action.maxFailuresPerUrl ?? DEFAULT_MAX_FAILURES_PER_URL;
  return {
    version: manifest.version,
    urls: codebases.map((codebase) => joinUrl(codebase, payload.name)),
    bytes: payload.bytes,
    sha256: action.sha256,
    isDelta: action.isDelta,
    disableBackoff: action.disableBackoff,
    maxFailuresPerUrl: Math.min(HIGHEST_MAX_FAILURES_PER_URL, Math.max(1, maxFailures)),
  };
}

/** Put together as text, as the lineage does: a codebase may carry a token in its path, a name may have folders. */
function joinUrl(codebase: string, name: string): string {
  const url = `${codebase}${codebase.endsWith('/') ? '' : '/'}${name}`;
  // The parser of URLs mends a lot (one slash, blanks); what would have to be mended is refused.
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(url) || !URL.canParse(url))
    throw incomplete(`${JSON.stringify(url.slice(0, 200))}, which is no HTTP address`);
  return url;
}

function incomplete(what: string): OmahaError {
  return new OmahaError('bad-document', `the answer offers an update with ${what}`);
}

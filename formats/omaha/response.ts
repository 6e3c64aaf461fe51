/**
 * The answer of an Omaha server as a value. Decoding checks the form only; what a client makes of it is offer.ts.
 * Beside what the lineage sends there is `hash_sha256` of a package, which comes in hex from some servers and in base64
 * from others; both are read, hex is written.
 */
import {childOf, childrenOf, countOf, flagOf, requiredTextOf, textOf} from './attributes.ts';
import {OmahaError} from './errors.ts';
import {type XmlElement, decodeXml, element, encodeXml} from './xml.ts';

export interface OmahaResponse {
  readonly server: string;
  readonly apps: readonly ResponseApp[];
}

export interface ResponseApp {
  readonly appId: string;
  /** `ok` or `error-...`. Clients of the lineage do not look at it. */
  readonly status: string;
  readonly ping: boolean;
  /** How many events were acknowledged. */
  readonly events: number;
  readonly updateCheck: UpdateCheck | null;
}

export interface UpdateCheck {
  /** `ok`, `noupdate` or `error-...`. */
  readonly status: string;
  /** Seconds until the next check; null leaves it to the client. */
  readonly pollSeconds: number | null;
  /** The folders in which the packages lie. */
  readonly codebases: readonly string[];
  readonly manifest: UpdateManifest | null;
  /** Why there is nothing yet; null without. Clients of the lineage do not know it, and see `noupdate`. */
  readonly hold: UpdateHold | null;
}

/** Ours: attributes of `updatecheck` that begin with `hold_`. */
export interface UpdateHold {
  /** A word: `pace`, `halted` and so on; see docs/rollout.md. */
  readonly reason: string;
  /** What the host would get. */
  readonly version: string;
  /** In line: 1 is next; null when it is in none. */
  readonly position: number | null;
  /** Not before that, seconds since 1970; null when nobody knows. */
  readonly notBefore: number | null;
  /** A sentence for people. */
  readonly detail: string;
}

export interface UpdateManifest {
  readonly version: string;
  readonly packages: readonly UpdatePackage[];
  readonly actions: readonly UpdateAction[];
}

export interface UpdatePackage {
  readonly name: string;
  readonly bytes: number;
  /** SHA-1 in base64. Nobody checks it; old clients want it to be there. */
  readonly sha1: string;
  /** Hex, or null without. */
  readonly sha256: string | null;
  readonly required: boolean;
}

export interface UpdateAction {
  readonly event: string;
  /** Of the payload, hex; null without. */
  readonly sha256: string | null;
  readonly isDelta: boolean;
  readonly disableBackoff: boolean;
  readonly maxFailuresPerUrl: number | null;
}

const MAX_APPS = 16;
const MAX_URLS = 32;
const MAX_PACKAGES = 64;
const MAX_EVENTS = 64;
/** The end of the year 9999: what comes later cannot be written as a date. */
const MAX_TIME_SECONDS = 253_402_300_799;

export function encodeResponse({server, apps}: OmahaResponse): Uint8Array {
  return encodeXml(
    element('response', {protocol: '3.0', server}, [
      element('daystart', {elapsed_seconds: 0}),
      ...apps.map(({appId, status, ping, events, updateCheck}) =>
        element('app', {appid: appId, status}, [
          ...(ping ? [element('ping', {status: 'ok'})] : []),
          ...Array.from({length: events}, () => element('event', {status: 'ok'})),
          ...(updateCheck === null ? [] : [checkElement(updateCheck)]),
        ]),
      ),
    ]),
  );
}

function checkElement({status, pollSeconds, codebases, manifest, hold}: UpdateCheck): XmlElement {
  return element('updatecheck', {status, PollInterval: pollSeconds ?? undefined, ...holdAttributes(hold)}, [
    ...(codebases.length === 0
      ? []
      : [
          element(
            'urls',
            {},
            codebases.map((codebase) => element('url', {codebase})),
          ),
        ]),
    ...(manifest === null ? [] : [manifestElement(manifest)]),
  ]);
}

function holdAttributes(hold: UpdateHold | null): Record<string, string | number | undefined> {
  if (hold === null) return {};
  const {reason, version, position, notBefore, detail} = hold;
  return {
    hold_reason: reason,
    hold_version: version,
    hold_position: position ?? undefined,
    hold_not_before: notBefore ?? undefined,
    hold_detail: detail,
  };
}

function manifestElement({version, packages, actions}: UpdateManifest): XmlElement {
  return element('manifest', {version}, [
    element(
      'packages',
      {},
      packages.map(({name, bytes, sha1, sha256, required}) =>
        element('package', {name, size: bytes, hash: sha1, hash_sha256: sha256 ?? undefined, required}),
      ),
    ),
    element(
      'actions',
      {},
      actions.map(({event, sha256, isDelta, disableBackoff, maxFailuresPerUrl}) =>
        element('action', {
          event,
          sha256: sha256 === null ? undefined : Buffer.from(sha256, 'hex').toString('base64'),
          needsadmin: false,
          IsDeltaPayload: isDelta,
          DisablePayloadBackoff: disableBackoff,
          MaxFailureCountPerUrl: maxFailuresPerUrl ?? undefined,
        }),
      ),
    ),
  ]);
}

/** Throws OmahaError. */
export function decodeResponse(bytes: Uint8Array): OmahaResponse {
  const root = decodeXml(bytes);
  if (root.name !== 'response')
    throw new OmahaError('bad-document', `an answer is called response, not ${root.name}`);
  const protocol = textOf(root, 'protocol');
  if (protocol !== '3.0')
    throw new OmahaError('bad-document', `the answer has protocol ${JSON.stringify(protocol)}, not 3.0`);
  return {
    server: textOf(root, 'server'),
    apps: childrenOf(root, 'app', MAX_APPS).map((app) => {
      const check = childOf(app, 'updatecheck');
      return {
        appId: textOf(app, 'appid'),
        status: textOf(app, 'status'),
        ping: childOf(app, 'ping') !== undefined,
        events: childrenOf(app, 'event', MAX_EVENTS).length,
        updateCheck: check === undefined ? null : decodeCheck(check),
      };
    }),
  };
}

function decodeCheck(check: XmlElement): UpdateCheck {
  const urls = childOf(check, 'urls');
  const manifest = childOf(check, 'manifest');
  return {
    status: textOf(check, 'status'),
    pollSeconds: countOf(check, 'PollInterval'),
    codebases:
      urls === undefined
        ? []
        : childrenOf(urls, 'url', MAX_URLS).map((url) => requiredTextOf(url, 'codebase')),
    manifest: manifest === undefined ? null : decodeManifest(manifest),
    hold: decodeHold(check),
  };
}

function decodeHold(check: XmlElement): UpdateHold | null {
  const reason = textOf(check, 'hold_reason');
  if (reason === '') return null;
  const notBefore = countOf(check, 'hold_not_before');
  if (notBefore !== null && notBefore > MAX_TIME_SECONDS)
    throw new OmahaError('bad-document', `updatecheck hold_not_before is ${notBefore}, which is no time`);
  return {
    reason,
    version: textOf(check, 'hold_version'),
    position: countOf(check, 'hold_position'),
    notBefore,
    detail: textOf(check, 'hold_detail'),
  };
}

function decodeManifest(manifest: XmlElement): UpdateManifest {
  const packages = childOf(manifest, 'packages');
  const actions = childOf(manifest, 'actions');
  return {
    version: textOf(manifest, 'version'),
    packages:
      packages === undefined
        ? []
        : childrenOf(packages, 'package', MAX_PACKAGES).map((each) => ({
            name: requiredTextOf(each, 'name'),
            bytes: countOf(each, 'size') ?? 0,
            sha1: textOf(each, 'hash'),
            sha256: sha256Of(each, 'hash_sha256'),
            required: flagOf(each, 'required'),
          })),
    actions:
      actions === undefined
        ? []
        : childrenOf(actions, 'action', MAX_PACKAGES).map((action) => ({
            event: textOf(action, 'event'),
            sha256: sha256Of(action, 'sha256'),
            isDelta: textOf(action, 'IsDeltaPayload') === 'true',
            disableBackoff: textOf(action, 'DisablePayloadBackoff') === 'true',
            maxFailuresPerUrl: countOf(action, 'MaxFailureCountPerUrl'),
          })),
  };
}

/** Hex or base64 to hex. */
function sha256Of(from: XmlElement, name: string): string | null {
  const text = textOf(from, name);
  if (text === '') return null;
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 32 && bytes.toString('base64') === text) return bytes.toString('hex');
  throw new OmahaError(
    'bad-document',
    `${from.name} ${name} is ${JSON.stringify(text.slice(0, 80))}, no SHA-256`,
  );
}

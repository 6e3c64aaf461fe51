/**
 * What the server answers to an Omaha request: pure. The rules are those that clients of the lineage expect: nothing is
 * older than what they have, because they do not look; an app or group that nobody knows is an error, and an error is a
 * status inside of an answer with HTTP status 200.
 */
import {CAISSON_APP_ID, type OmahaRequest, type RequestApp} from '../formats/omaha/request.ts';
import type {OmahaResponse, ResponseApp, UpdateCheck} from '../formats/omaha/response.ts';
import {compareVersions, isVersion} from '../formats/version.ts';
import {type Channel, type Channels, channelOfTrack} from './channels.ts';
import {hasVersionPrefix} from './rollout/target.ts';

/** A release whose payload is there and whole. */
export interface OfferedRelease {
  readonly version: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Base64, for clients of old. */
  readonly sha1: string;
}

export interface OmahaSituation {
  readonly channels: Channels;
  readonly releases: ReadonlyMap<string, OfferedRelease>;
  readonly codebaseOf: CodebaseOf;
}

/** The folder in which a release's payload lies, for this client. */
export type CodebaseOf = (release: OfferedRelease) => string;

export const PAYLOAD_NAME = 'update.payload';
export const SERVER_NAME = 'caisson';
/** Those that a release of ours runs on; hosts of the lineage say nothing sometimes. */
export const BOARDS: readonly string[] = ['', 'amd64-usr'];

export function answerOmaha({apps}: OmahaRequest, situation: OmahaSituation): OmahaResponse {
  return {server: SERVER_NAME, apps: apps.map((app) => answerApp(app, situation))};
}

function answerApp(app: RequestApp, situation: OmahaSituation): ResponseApp {
  const known = {appId: app.appId, ping: app.ping, events: app.events.length};
  const status = statusOf(app);
  if (app.updateCheck === null) return {...known, status, updateCheck: null};
  if (status !== 'ok') return {...known, status, updateCheck: withoutUpdate('error-internal')};
  return {...known, status, updateCheck: check(app, app.updateCheck.targetVersionPrefix, situation)};
}

function statusOf({appId, track, version}: RequestApp): string {
  if (appId.toLowerCase() !== CAISSON_APP_ID) return 'error-unknownApplication';
  if (channelOfTrack(track) === null) return 'error-unknownApplicationOrGroup';
  return isVersion(version) ? 'ok' : 'error-invalidVersion';
}

function check(
  app: RequestApp,
  prefix: string,
  {channels, releases, codebaseOf}: OmahaSituation,
): UpdateCheck {
  if (!BOARDS.includes(app.board)) return withoutUpdate('error-osnotsupported');
  const name = channelOfTrack(app.track);
  const channel = name === null ? undefined : channels[name];
  const release = channel === undefined ? undefined : choose(app.version, prefix, channel, releases);
  return release === undefined ? withoutUpdate('noupdate') : offerOf(release, codebaseOf);
}

export function offerOf(release: OfferedRelease, codebaseOf: CodebaseOf): UpdateCheck {
  const {version, bytes, sha1, sha256} = release;
  return {
    status: 'ok',
    pollSeconds: null,
    codebases: [codebaseOf(release)],
    hold: null,
    manifest: {
      version,
      packages: [{name: PAYLOAD_NAME, bytes, sha1, sha256, required: true}],
      // A payload that broke off is worth trying again; to leave it alone for days is for servers with many hosts.
      actions: [
        {event: 'postinstall', sha256, isDelta: false, disableBackoff: true, maxFailuresPerUrl: null},
      ],
    },
  };
}

/**
 * What the channel points to; for a pinned host the newest of what it ever pointed to. A release that was never promoted
 * to the channel is nobody's business.
 */
function choose(
  running: string,
  prefix: string,
  {version, past, allowDowngrade}: Channel,
  releases: ReadonlyMap<string, OfferedRelease>,
): OfferedRelease | undefined {
  const isWanted = (candidate: string): boolean =>
    allowDowngrade && candidate === version ? candidate !== running : compareVersions(candidate, running) > 0;
  const candidates =
    prefix === '' ? [version] : [version, ...past].filter((each) => hasVersionPrefix(each, prefix));
  return candidates
    .sort((a, b) => compareVersions(b, a))
    .filter(isWanted)
    .flatMap((each) => releases.get(each) ?? [])[0];
}

export function withoutUpdate(status: string): UpdateCheck {
  return {status, pollSeconds: null, codebases: [], manifest: null, hold: null};
}

/**
 * What the server answers to an Omaha request: pure. The rules are those that clients of the lineage expect: nothing is
 * older than what they have, because they do not look; an app or group that nobody knows is an error, and an error is a
 * status inside of an answer with HTTP status 200.
 */
import {CAISSON_APP_ID, type OmahaRequest, type RequestApp} from '../formats/omaha/request.ts';
import type {OmahaResponse, ResponseApp, UpdateCheck} from '../formats/omaha/response.ts';
import {compareVersions, hasVersionPrefix, isVersion} from '../formats/version.ts';
import {type Channel, type Channels, channelOfTrack} from './channels.ts';

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

/** The folder in which a release's payload lies, for this client; of several, hosts take the next when one fails. */
export type CodebaseOf = (release: OfferedRelease) => string | readonly string[];

export const PAYLOAD_NAME = 'update.payload';
/** A mirror that is gone shall not keep hosts busy for the ten attempts that are usual. */
const MAX_FAILURES_PER_MIRROR = 3;
export const SERVER_NAME = 'caisson';
const BOARD = 'amd64-usr';
/** As clients write it; some say nothing. */
const ARCHITECTURES: readonly string[] = ['', 'x86_64', 'amd64', 'x64'];

/** Whether a release of ours runs there: by the board, or by what the system says where there is none. */
export function isOurArchitecture(board: string, arch: string): boolean {
  return board === '' ? ARCHITECTURES.includes(arch) : board === BOARD;
}

export function answerOmaha({apps, os}: OmahaRequest, situation: OmahaSituation): OmahaResponse {
  return {server: SERVER_NAME, apps: apps.map((app) => answerApp(app, os.arch, situation))};
}

function answerApp(app: RequestApp, arch: string, situation: OmahaSituation): ResponseApp {
  const known = {appId: app.appId, ping: app.ping, events: app.events.length};
  const status = statusOf(app);
  if (app.updateCheck === null) return {...known, status, updateCheck: null};
  if (status !== 'ok') return {...known, status, updateCheck: withoutUpdate('error-internal')};
  if (!isOurArchitecture(app.board, arch))
    return {...known, status, updateCheck: withoutUpdate('error-osnotsupported')};
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
  const name = channelOfTrack(app.track);
  const channel = name === null ? undefined : channels[name];
  const release = channel === undefined ? undefined : choose(app.version, prefix, channel, releases);
  return release === undefined ? withoutUpdate('noupdate') : offerOf(release, codebaseOf);
}

export function offerOf(release: OfferedRelease, codebaseOf: CodebaseOf): UpdateCheck {
  const {version, bytes, sha1, sha256} = release;
  const codebases = [codebaseOf(release)].flat();
  return {
    status: 'ok',
    pollSeconds: null,
    codebases,
    hold: null,
    manifest: {
      version,
      packages: [{name: PAYLOAD_NAME, bytes, sha1, sha256, required: true}],
      // A payload that broke off is worth trying again; to leave it alone for days is for servers with many hosts.
      actions: [
        {
          ...{event: 'postinstall', sha256, isDelta: false, disableBackoff: true},
          maxFailuresPerUrl: codebases.length > 1 ? MAX_FAILURES_PER_MIRROR : null,
        },
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

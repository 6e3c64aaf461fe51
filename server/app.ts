/**
 * The release server: a folder of releases and a file of channels, as Omaha and as files. Every question looks at the
 * folder again, so that `promote` and a new release need no signal and no restart.
 */
import {CodedError} from '../formats/errors.ts';
import {OmahaError} from '../formats/omaha/errors.ts';
import {OMAHA_CONTENT_TYPE, decodeRequest} from '../formats/omaha/request.ts';
import {type OmahaResponse, encodeResponse} from '../formats/omaha/response.ts';
import type {ServerAnswer} from '../platform/http-server-answer.ts';
import type {ServerRequest} from '../platform/http-server.ts';
import {readChannels} from './channel-file.ts';
import type {Fleet, SeenEvent} from './fleet.ts';
import {answerOmaha} from './omaha.ts';
import {answerPayload} from './payload-file.ts';
import {type ReleaseFolder, type ServedRelease, servedOf} from './releases.ts';
import {type Route, createRouter, json, plain} from './route.ts';

/** Hosts send one or two KiB; Nebraska has the same limit. */
export const MAX_REQUEST_BYTES = 64 * 1024;

export interface AppOptions {
  readonly dir: string;
  readonly releases: ReleaseFolder;
  readonly fleet: Fleet;
  /** Under which hosts reach this server; null takes what they call it themselves. */
  readonly publicUrl: string | null;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onEvent: (event: SeenEvent) => void;
  readonly onFault: (text: string) => void;
  readonly signal: AbortSignal;
  /** What else is answered here. */
  readonly routes?: readonly Route[];
}

/** Its group is the SHA-256. */
export const PAYLOAD_ROUTE = /^\/payloads\/([0-9a-f]{64})\/update\.payload$/;
/** The folder of such a payload, below the address of a server or of a mirror. */
export function codebaseAt(base: string, sha256: string): string {
  return `${base}/payloads/${sha256}/`;
}
/** An address that paths are added to. */
export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
export const UPDATE_ROUTE = /^\/v1\/update\/?$/;

export function createApp(options: AppOptions): (request: ServerRequest) => Promise<ServerAnswer> {
  return createRouter(
    [
      {methods: ['POST'], pattern: UPDATE_ROUTE, answer: (request) => answerUpdate(request, options)},
      {methods: ['GET', 'HEAD'], pattern: /^\/status$/, answer: () => answerStatus(options)},
      {
        methods: ['GET', 'HEAD'],
        pattern: PAYLOAD_ROUTE,
        async answer(request, [sha256]) {
          const found = (await served(options)).find((release) => release.sha256 === sha256);
          return found === undefined ? plain(404, 'no such payload') : answerPayload(found, request.headers);
        },
      },
      ...(options.routes ?? []),
    ],
    'this is a release server of Caisson: /v1/update/, /status',
  );
}

async function answerUpdate(request: ServerRequest, options: AppOptions): Promise<ServerAnswer> {
  const {fleet, dir, now, onEvent, onFault} = options;
  try {
    const question = decodeRequest(request.body);
    for (const app of question.apps) for (const event of fleet.see(app, now())) onEvent(event);
    const base = options.publicUrl ?? baseOf(request);
    if (base === null) return plain(400, 'the request has no Host that an address can be made of');
    const response = answerOmaha(question, {
      channels: await readChannels(dir),
      releases: new Map((await served(options)).map((release) => [release.version, release])),
      codebaseOf: ({sha256}) => codebaseAt(base, sha256),
    });
    return omahaAnswer(response);
  } catch (error) {
    if (error instanceof OmahaError) return plain(400, error.message);
    if (!(error instanceof CodedError)) throw error;
    // A folder that is out of order is nothing that a host can do anything about; with 500 it asks more rarely.
    onFault(error.message);
    return plain(500, 'this server has something to put right');
  }
}

export function omahaAnswer(response: OmahaResponse): ServerAnswer {
  const headers = {'content-type': `${OMAHA_CONTENT_TYPE}; charset=utf-8`, 'cache-control': 'no-store'};
  return {status: 200, headers, body: encodeResponse(response)};
}

/** Of what the host called this server; null when no address can be made of that. */
export function baseOf({headers, isTls}: ServerRequest): string | null {
  const {host} = headers;
  return host !== undefined && /^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?$/.test(host)
    ? `${isTls ? 'https' : 'http'}://${host}`
    : null;
}

async function served({releases, signal}: AppOptions): Promise<readonly ServedRelease[]> {
  return servedOf(await releases.scan(signal));
}

async function answerStatus({dir, releases, fleet, signal}: AppOptions): Promise<ServerAnswer> {
  const channels = await readChannels(dir).catch((error: unknown) => ({error: (error as Error).message}));
  const states = (await releases.scan(signal)).map((state) => {
    if (state.kind === 'unfit') return {version: state.version, offered: false, reason: state.reason};
    const {version, bytes, sha256} = state.release;
    return {version, offered: true, bytes, sha256};
  });
  return json(200, {channels, releases: states, hosts: fleet.hosts(), events: fleet.events()});
}

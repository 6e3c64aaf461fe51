/**
 * Everything that the release server answers, in one table: who adds a part to the server adds its routes here, by one
 * line. Parts get the same tools.
 */
import {CodedError} from '../../formats/errors.ts';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {decodeRequest} from '../../formats/omaha/request.ts';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import {API_PREFIX} from '../api/router.ts';
import {apiRoute} from '../api/routes.ts';
import type {ApiTools} from '../api/tools.ts';
import {PAYLOAD_ROUTE, UPDATE_ROUTE, baseOf, codebaseAt, omahaAnswer} from '../app.ts';
import {type OfferedRelease, PAYLOAD_NAME} from '../omaha.ts';
import {answerPayload} from '../payload-file.ts';
import {servedOf} from '../releases.ts';
import {type Route, plain, withHeaders} from '../route.ts';

export interface HubParts extends ApiTools {
  /** Under which hosts reach this server; null takes what they call it themselves. */
  readonly publicUrl: string | null;
  /** Where payloads are as well, each with the same paths; asked before this server, in this order. */
  readonly mirrors: readonly string[];
  /** Where those are sent who ask this server for a payload; null gives it to them. */
  readonly redirect: string | null;
  /** Hears what people should know. */
  readonly onLine: (text: string) => void;
}

export const MISSING = `this is a release server of Caisson: /v1/update/, ${API_PREFIX}status`;

export function hubRoutes(parts: HubParts): readonly Route[] {
  return [
    {methods: ['POST'], pattern: UPDATE_ROUTE, answer: (request) => answerUpdate(request, parts)},
    {
      methods: ['GET', 'HEAD'],
      pattern: PAYLOAD_ROUTE,
      answer: (request, [sha256 = '']) => findPayload(request, sha256, parts),
    },
    apiRoute(parts),
  ];
}

async function answerUpdate(
  request: ServerRequest,
  {hub, publicUrl, mirrors, now, onLine}: HubParts,
): Promise<ServerAnswer> {
  try {
    const question = decodeRequest(request.body);
    const base = publicUrl ?? baseOf(request);
    if (base === null) return plain(400, 'the request has no Host that an address can be made of');
    const codebasesOf = ({sha256}: OfferedRelease): readonly string[] =>
      [...mirrors, base].map((each) => codebaseAt(each, sha256));
    return omahaAnswer(await hub.answer(question, codebasesOf, now()));
  } catch (error) {
    if (error instanceof OmahaError) return plain(400, error.message);
    // With 500 hosts ask more rarely; what they told is told again.
    onLine(error instanceof Error ? error.message : String(error));
    if (error instanceof CodedError || 'code' in (error as object))
      return plain(500, 'this server has something to put right');
    throw error;
  }
}

async function findPayload(
  {headers}: ServerRequest,
  sha256: string,
  {folder, payloads, redirect, signal}: HubParts,
): Promise<ServerAnswer> {
  const file =
    (await payloads.find(sha256)) ??
    servedOf(await folder.scan(signal)).find((release) => release.sha256 === sha256);
  if (file === undefined) return plain(404, 'no such payload');
  if (redirect === null) return answerPayload(file, headers);
  const location = `${codebaseAt(redirect, sha256)}${PAYLOAD_NAME}`;
  return withHeaders(plain(302, `it is at ${location}`), {location, 'cache-control': 'no-store'});
}

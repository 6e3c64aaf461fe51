/**
 * The API of the release server for people and for pipelines: JSON over HTTP, with tokens. What a call changes is in the
 * store before it is answered. Each noun has its calls in a file of its own; this one finds the call and the token.
 */
import {CodedError} from '../../formats/errors.ts';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import {DatabaseError} from '../../platform/sql-pool.ts';
import {ServerError, type ServerErrorCode} from '../errors.ts';
import {type StoredToken, type TokenRole, findToken, mayActAs} from '../store/tokens.ts';
import {json, withHeaders} from '../route.ts';
import {ApiError} from './input.ts';
import type {ApiTools} from './tools.ts';

export interface Call {
  readonly body: Uint8Array;
  /** Groups of the route's pattern. */
  readonly words: readonly string[];
  readonly query: URLSearchParams;
  readonly request: ServerRequest;
  readonly by: StoredToken;
}

export interface ApiRoute {
  readonly method: string;
  /** For the path below API_PREFIX. */
  readonly path: RegExp;
  readonly role: TokenRole;
  /** Gives what is answered as JSON, or an answer of its own. */
  readonly act: (call: Call, tools: ApiTools) => Promise<object | ApiAnswer>;
}

export class ApiAnswer {
  readonly answer: ServerAnswer;
  constructor(answer: ServerAnswer) {
    this.answer = answer;
  }
}

export const API_PREFIX = '/api/v1/';
/** Of what people name: channels, groups, tokens. */
export const NAME = '([A-Za-z0-9][A-Za-z0-9._-]{0,63})';

/** For a path below API_PREFIX. */
export async function answerApi(
  request: ServerRequest,
  routes: readonly ApiRoute[],
  tools: ApiTools,
): Promise<ServerAnswer> {
  try {
    const token = /^Bearer (\S{1,200})$/.exec(request.headers['authorization'] ?? '')?.[1];
    const by = token === undefined ? null : await findToken(tools.database, token);
    if (by === null)
      return withHeaders(json(401, {error: 'a token is needed'}), {'www-authenticate': 'Bearer'});
    const path = request.path.slice(API_PREFIX.length);
    const fitting = routes.filter((route) => route.path.test(path));
    const route = fitting.find(({method}) => method === request.method);
    if (route === undefined)
      return fitting.length === 0
        ? json(404, {error: 'there is no such thing here'})
        : withHeaders(json(405, {error: `${request.method} is not for this`}), {
            allow: fitting.map(({method}) => method).join(', '),
          });
    if (!mayActAs(by.role, route.role))
      return json(403, {error: `a token with the role ${route.role} is needed, and this one has ${by.role}`});
    const call = {
      body: request.body,
      words: route.path.exec(path)?.slice(1) ?? [],
      query: new URLSearchParams(request.query),
      request,
      by,
    };
    const result = await route.act(call, tools);
    return result instanceof ApiAnswer ? result.answer : json(200, result);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const {code, hint, message} = error as CodedError<string>;
    return json(statusOf(error as CodedError<string>), {
      error: message,
      code,
      ...(hint === undefined ? {} : {hint}),
    });
  }
}

const STATUSES: Readonly<Partial<Record<ServerErrorCode, number>>> = {
  'no-group': 404,
  'no-channel': 404,
  'no-release': 404,
  'no-machine': 404,
  'no-token': 404,
  exists: 409,
  older: 409,
  'other-bytes': 409,
  'in-use': 409,
  'other-offset': 409,
  busy: 409,
  incomplete: 409,
  damaged: 422,
  untrusted: 422,
  'too-large': 413,
  'no-room': 507,
  'bad-policy': 400,
};

function statusOf(error: CodedError<string>): number {
  if (error instanceof ApiError) return 400;
  if (error instanceof DatabaseError) return 503;
  return error instanceof ServerError ? (STATUSES[error.code] ?? 500) : 422;
}

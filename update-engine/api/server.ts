/**
 * The two sockets: one answers anyone, the other takes root's orders and answers, too. Routes are a table; what they
 * do is the engine's.
 */
import {isCodedError} from '../../formats/errors.ts';
import {describeIssues, type z} from '../../formats/schema.ts';
import {
  type LocalAnswer,
  type LocalRequest,
  type LocalServer,
  listenLocal,
} from '../../platform/local-http.ts';
import {
  ApiError,
  type Done,
  HTTP_STATUS_OF,
  MAX_REQUEST_BYTES,
  MAX_WAIT_SECONDS,
  checkRequestSchema,
  denyAddRequestSchema,
  denyRemoveRequestSchema,
  forgetChannelRequestSchema,
  markGoodRequestSchema,
  rebootRequestSchema,
  resetRequestSchema,
  rollbackRequestSchema,
  updateRequestSchema,
} from './protocol.ts';
import {formatMetrics} from './metrics.ts';
import type {Status} from './status.ts';

/** The orders, each done (or begun, for check and update) when it returns. They throw ApiError. */
export interface Orders {
  check(): Promise<Done>;
  update(request: {version?: string | undefined; payload?: string | undefined}): Promise<Done>;
  rollback(): Promise<Done>;
  reboot(request: {now?: boolean | undefined}): Promise<Done>;
  reset(): Promise<Done>;
  markGood(): Promise<Done>;
  /** Forgets which states of signed channels were seen: what goes backwards is then believed once. */
  forgetChannel(): Promise<Done>;
  denyAdd(request: {version: string; reason: string}): Promise<Done>;
  denyRemove(request: {version: string}): Promise<Done>;
}

export interface StatusSource {
  status(): Promise<Status>;
  /** Resolves when the revision is another one, or the signal is aborted. */
  changed(revision: number, signal: AbortSignal): Promise<void>;
}

type Route = (request: LocalRequest) => Promise<unknown>;

const STATUS_CONNECTIONS = 32;
const CONTROL_CONNECTIONS = 8;

export async function serveApi(
  paths: {statusSocket: string; controlSocket: string},
  source: StatusSource,
  orders: Orders,
): Promise<{close(): Promise<void>}> {
  const questions = questionRoutes(source);
  const everything = new Map([...questions, ...orderRoutes(orders)]);
  const servers: LocalServer[] = [];
  servers.push(
    await listenLocal(
      {path: paths.statusSocket, mode: 0o666, maxBodyBytes: 0, maxConnections: STATUS_CONNECTIONS},
      (request) => route(questions, request),
    ),
  );
  servers.push(
    await listenLocal(
      {
        path: paths.controlSocket,
        mode: 0o600,
        maxBodyBytes: MAX_REQUEST_BYTES,
        maxConnections: CONTROL_CONNECTIONS,
      },
      (request) => route(everything, request),
    ),
  );
  return {
    async close() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

function questionRoutes(source: StatusSource): Map<string, Route> {
  return new Map<string, Route>([
    ['GET /v1/status', (request) => status(source, request)],
    ['GET /v1/denied', async () => ({denied: (await source.status()).denied})],
    ['GET /metrics', async () => formatMetrics(await source.status())],
  ]);
}

function orderRoutes(orders: Orders): Map<string, Route> {
  return new Map<string, Route>([
    ['POST /v1/check', take(checkRequestSchema, () => orders.check())],
    ['POST /v1/update', take(updateRequestSchema, (request) => orders.update(request))],
    ['POST /v1/rollback', take(rollbackRequestSchema, () => orders.rollback())],
    ['POST /v1/reboot', take(rebootRequestSchema, (request) => orders.reboot(request))],
    ['POST /v1/reset', take(resetRequestSchema, () => orders.reset())],
    ['POST /v1/mark-good', take(markGoodRequestSchema, () => orders.markGood())],
    ['POST /v1/channel/forget', take(forgetChannelRequestSchema, () => orders.forgetChannel())],
    ['POST /v1/deny/add', take(denyAddRequestSchema, (request) => orders.denyAdd(request))],
    ['POST /v1/deny/remove', take(denyRemoveRequestSchema, (request) => orders.denyRemove(request))],
  ]);
}

/** With `after=REVISION` the answer waits until something has changed, `wait` seconds at most. */
async function status(source: StatusSource, {query, signal}: LocalRequest): Promise<Status> {
  const after = readNumber(query, 'after', Number.MAX_SAFE_INTEGER);
  const seconds = Math.min(readNumber(query, 'wait', MAX_WAIT_SECONDS) ?? MAX_WAIT_SECONDS, MAX_WAIT_SECONDS);
  if (after !== null)
    await source.changed(after, AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]));
  return source.status();
}

function readNumber(query: URLSearchParams, name: string, max: number): number | null {
  const given = query.get(name);
  if (given === null) return null;
  const value = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (value <= max) return value;
  throw new ApiError(
    'bad-request',
    `${name} is a number up to ${max}, not ${JSON.stringify(given.slice(0, 40))}`,
  );
}

function take<Schema extends z.ZodType>(
  schema: Schema,
  act: (request: z.infer<Schema>) => Promise<Done>,
): Route {
  return ({body}) => {
    const given = body.length === 0 ? {} : parseJson(new TextDecoder().decode(body));
    const result = schema.safeParse(given);
    if (result.success) return act(result.data);
    throw new ApiError('bad-request', describeIssues(result.error));
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError('bad-request', 'the body is not JSON', {cause: error});
  }
}

async function route(routes: ReadonlyMap<string, Route>, request: LocalRequest): Promise<LocalAnswer> {
  try {
    const found = routes.get(`${request.method} ${request.path}`);
    if (found === undefined) throw noRoute(routes, request);
    const value = await found(request);
    if (typeof value === 'string') return {status: 200, type: 'text/plain; version=0.0.4', body: value};
    return json(200, value);
  } catch (error) {
    const kind = error instanceof ApiError ? error.code : 'failed';
    const message = error instanceof Error ? error.message : String(error);
    const hint = isCodedError(error) ? (error.hint ?? null) : null;
    return json(HTTP_STATUS_OF[kind], {error: {kind, message: message.slice(0, 8000), hint}});
  }
}

function noRoute(routes: ReadonlyMap<string, Route>, {method, path}: LocalRequest): ApiError {
  const others = [...routes.keys()].filter((key) => key.endsWith(` ${path}`));
  if (others.length > 0) return new ApiError('method', `${method} is not for ${path}: ${others.join(', ')}`);
  return new ApiError('not-found', `there is no ${path.slice(0, 200)} on this socket`);
}

function json(status: number, value: unknown): LocalAnswer {
  return {status, type: 'application/json', body: `${JSON.stringify(value)}\n`};
}

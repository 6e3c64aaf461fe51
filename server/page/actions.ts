/**
 * What people do on the page. Each is a call of the API, made within the server: so there is one list of what may be
 * done, one rule of who may, and one place that does it.
 */
import type {ServerRequest} from '../../platform/http-server.ts';
import {API_ROUTES} from '../api/routes.ts';
import type {ApiTools} from '../api/tools.ts';
import {type StoredToken, mayActAs} from '../store/tokens.ts';

export interface Action {
  readonly method: 'POST' | 'PUT';
  /** Below the prefix of the API. */
  readonly path: string;
  readonly body: object;
}

export type ActionResult =
  | {readonly kind: 'done'}
  /** The API has no such call, or not for such a name. */
  | {readonly kind: 'missing'}
  | {readonly kind: 'forbidden'; readonly role: string};

/** Throws what the call throws. */
export async function act(
  {method, path, body}: Action,
  {request, by}: {readonly request: ServerRequest; readonly by: StoredToken},
  tools: ApiTools,
): Promise<ActionResult> {
  const route = API_ROUTES.find((each) => each.method === method && each.path.test(path));
  if (route === undefined) return {kind: 'missing'};
  if (!mayActAs(by.role, route.role)) return {kind: 'forbidden', role: route.role};
  const words = route.path.exec(path)?.slice(1) ?? [];
  const call = {body: Buffer.from(JSON.stringify(body)), words, query: new URLSearchParams(), request, by};
  await route.act(call, tools);
  return {kind: 'done'};
}

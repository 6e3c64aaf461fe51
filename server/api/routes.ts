/** The whole API, as one route of the server. */
import type {Route} from '../route.ts';
import {CHANNEL_ROUTES} from './channels.ts';
import {GROUP_ROUTES} from './groups.ts';
import {INSTANCE_ROUTES} from './instances.ts';
import {RELEASE_ROUTES} from './releases.ts';
import {API_PREFIX, type ApiRoute, answerApi} from './router.ts';
import {STATUS_ROUTES} from './status.ts';
import {TOKEN_ROUTES} from './tokens.ts';
import {UPLOAD_ROUTES} from './uploads.ts';
import type {ApiTools} from './tools.ts';

export const API_ROUTES: readonly ApiRoute[] = [
  ...STATUS_ROUTES,
  ...CHANNEL_ROUTES,
  ...GROUP_ROUTES,
  ...RELEASE_ROUTES,
  ...UPLOAD_ROUTES,
  ...INSTANCE_ROUTES,
  ...TOKEN_ROUTES,
];

export function apiRoute(tools: ApiTools): Route {
  return {
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    pattern: new RegExp(`^${API_PREFIX}`),
    answer: (request) => answerApi(request, API_ROUTES, tools),
  };
}

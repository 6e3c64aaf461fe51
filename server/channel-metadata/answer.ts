/** A signed channel as an HTTP answer. A cache may keep it and has to ask whether it is still so. */
import {createHash} from 'node:crypto';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import {type Route, plain} from '../route.ts';

const CHANNEL_ROUTE = /^\/channels\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json$/;

/** `find` gives the signed file of a channel by any of its names; null when there is none. */
export function channelRoute(
  find: (name: string) => Promise<Uint8Array | null>,
  onLine: (text: string) => void,
): Route {
  return {
    methods: ['GET', 'HEAD'],
    pattern: CHANNEL_ROUTE,
    async answer(request, [name = '']) {
      try {
        const bytes = await find(name);
        return bytes === null ? plain(404, 'no such channel') : answerChannel(bytes, request);
      } catch (error) {
        onLine(`channel ${name} was not signed: ${error instanceof Error ? error.message : String(error)}`);
        return plain(500, 'this server has something to put right');
      }
    },
  };
}

function answerChannel(bytes: Uint8Array, {headers}: Pick<ServerRequest, 'headers'>): ServerAnswer {
  const etag = `"${createHash('sha256').update(bytes).digest('hex')}"`;
  const always = {etag, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff'};
  const known = (headers['if-none-match'] ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*'))
    return {status: 304, headers: always, body: new Uint8Array()};
  return {status: 200, headers: {...always, 'content-type': 'application/json'}, body: bytes};
}

/**
 * The routing table of a server: methods, a pattern for the path, and what answers. The first that fits is asked, so that
 * each part of a server brings its own list, and joining them is one line.
 */
import type {ServerAnswer} from '../platform/http-server-answer.ts';
import type {ServerRequest} from '../platform/http-server.ts';

export interface Route {
  readonly methods: readonly string[];
  /** For the whole path, as it was sent. */
  readonly pattern: RegExp;
  /** Gets the groups of the pattern. */
  readonly answer: (request: ServerRequest, groups: readonly string[]) => Promise<ServerAnswer>;
}

/** `missing` is what is said where there is nothing. */
export function createRouter(
  routes: readonly Route[],
  missing: string,
): (request: ServerRequest) => Promise<ServerAnswer> {
  return (request) => {
    const {method, path} = request;
    const fitting = routes.filter(({pattern}) => pattern.test(path));
    const route = fitting.find(({methods}) => methods.includes(method));
    if (route !== undefined) return route.answer(request, route.pattern.exec(path)?.slice(1) ?? []);
    const methods = [...new Set(fitting.flatMap((each) => each.methods))];
    return Promise.resolve(
      methods.length === 0
        ? plain(404, missing)
        : withHeaders(plain(405, `${methods.join(' or ')} only`), {allow: methods.join(', ')}),
    );
  };
}

export function withHeaders(answer: ServerAnswer, headers: Readonly<Record<string, string>>): ServerAnswer {
  return {...answer, headers: {...answer.headers, ...headers}};
}

export function plain(status: number, text: string): ServerAnswer {
  return {
    status,
    headers: {'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff'},
    body: Buffer.from(`${text}\n`),
  };
}

export const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

export function json(status: number, value: unknown): ServerAnswer {
  return {status, headers: JSON_HEADERS, body: Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)};
}

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {ServerAnswer} from '../../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../../platform/http-server.ts';
import {type Route, createRouter, plain} from '../../../server/route.ts';

const request = (method: string, path: string): ServerRequest => ({
  ...{method, path, query: '', headers: {}, body: new Uint8Array(), stream: null, remote: '', isTls: false},
});
const route = (methods: readonly string[], pattern: RegExp, name: string): Route => ({
  methods,
  pattern,
  answer: (_request, groups) => Promise.resolve(plain(200, [name, ...groups].join())),
});
const text = ({body}: ServerAnswer): string =>
  Buffer.from(body as Uint8Array)
    .toString()
    .trim();

describe('createRouter', () => {
  const handle = createRouter(
    [
      route(['GET', 'HEAD'], /^\/a\/(\w+)\/(\w+)$/, 'first'),
      route(['POST'], /^\/a\/(.*)$/, 'second'),
      route(['GET'], /^\/a\/(.*)$/, 'third'),
    ],
    'nothing here',
  );

  it('asks the first route that fits, with the groups of its pattern', async () => {
    assert.equal(text(await handle(request('GET', '/a/b/c'))), 'first,b,c');
    assert.equal(text(await handle(request('POST', '/a/b/c'))), 'second,b/c');
    assert.equal(text(await handle(request('GET', '/a/b'))), 'third,b');
  });

  it('tells what is missing from what cannot be done', async () => {
    const missing = await handle(request('GET', '/b'));
    assert.deepEqual([missing.status, text(missing)], [404, 'nothing here']);
    const refused = await handle(request('PUT', '/a/b/c'));
    assert.deepEqual([refused.status, refused.headers['allow']], [405, 'GET, HEAD, POST']);
  });
});

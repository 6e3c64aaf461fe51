/** Streaming from any byte on, against a server that breaks its promises. */
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {createServer} from 'node:net';
import {after, before, beforeEach, describe, it} from 'node:test';
import type {Validators} from '../../formats/http-ranges.ts';
import {HttpError, type HttpErrorCode} from '../../platform/http-error.ts';
import {postBytes} from '../../platform/http-post.ts';
import {type RangeAnswer, openHttpRange} from '../../platform/http-range.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type BadServer, type Fault, etagOf, startBadServer} from '../support/bad-server.ts';

const CONTENT = randomBytes(400_000);
const VALIDATORS: Validators = {etag: etagOf(CONTENT), lastModified: null};
for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];

const client = createHttpClient();
const impatient = createHttpClient({stallTimeoutMs: 300, minBytesPerSecond: 1_000_000});
let server: BadServer;

before(async () => void (server = await startBadServer(CONTENT)));
after(async () => {
  await Promise.all([client.close(), impatient.close(), server.close()]);
});
beforeEach(() => server.replace(CONTENT));

interface Options {
  offset?: number;
  bytes?: number;
  validators?: Validators | null;
  http?: typeof client;
  signal?: AbortSignal;
}

async function open(
  {
    offset = 0,
    bytes = CONTENT.length,
    validators = null,
    http = client,
    signal = new AbortController().signal,
  }: Options,
  ...faults: Fault[]
): Promise<RangeAnswer> {
  server.plan(...faults);
  return openHttpRange(http, {url: server.url, offset, bytes, validators, signal});
}

async function read(answer: RangeAnswer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const fetch = async (options: Options, ...faults: Fault[]): Promise<Buffer> =>
  read(await open(options, ...faults));

async function refuses(code: HttpErrorCode, pattern: RegExp, action: Promise<unknown>): Promise<void> {
  const error: unknown = await action.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HttpError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
}

describe('openHttpRange', () => {
  it('gives the whole, and asks for no range then', async () => {
    const answer = await open({});
    assert.deepEqual(answer.validators, VALIDATORS);
    assert.ok((await read(answer)).equals(CONTENT));
    const {headers} = server.requests.at(-1) ?? assert.fail();
    assert.deepEqual(
      [headers.range, headers['if-range'], headers['accept-encoding']],
      [undefined, undefined, 'identity'],
    );
  });

  for (const offset of [1, 4096, CONTENT.length - 1])
    it(`gives the rest from byte ${offset} on`, async () => {
      const answer = await open({offset, validators: VALIDATORS});
      assert.equal(answer.skippedBytes, 0);
      assert.ok((await read(answer)).equals(CONTENT.subarray(offset)));
      const {headers} = server.requests.at(-1) ?? assert.fail();
      assert.deepEqual([headers.range, headers['if-range']], [`bytes=${offset}-`, VALIDATORS.etag]);
    });

  it('makes no condition of a weak tag', async () => {
    await fetch({offset: 10, validators: {etag: 'W/"1"', lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT'}});
    assert.equal(server.requests.at(-1)?.headers['if-range'], undefined);
  });

  it('reads past the beginning when the server does no ranges and the file is the same', async () => {
    const answer = await open({offset: 100_000, validators: VALIDATORS}, {kind: 'no-ranges'});
    assert.equal(answer.skippedBytes, 100_000);
    assert.ok((await read(answer)).equals(CONTENT.subarray(100_000)));
  });

  it('sees that another file lies there now', async () => {
    for (const isHonest of [true, false]) {
      await refuses(
        'changed',
        /is another file than before: ETag "[0-9a-f]{16}", it was "[0-9a-f]{16}"$/,
        fetch({offset: 10, validators: VALIDATORS}, {kind: 'other-file', isHonest}),
      );
    }
    server.replace(CONTENT.subarray(1));
    await refuses('changed', /another file: 399999 bytes long, expected 400000$/, fetch({}));
    await refuses('changed', /another file: 399999 bytes/, fetch({offset: 10}));
    await refuses('changed', /another file: 399999 bytes/, fetch({offset: 10}, {kind: 'unsatisfiable'}));
  });

  it('refuses ranges that nobody asked for', async () => {
    const range = {offset: 10};
    await refuses('bad-answer', /bytes 11 to 399999, not 10 to 399999/, fetch(range, {kind: 'wrong-range'}));
    await refuses('bad-answer', /206 though no range was asked for/, fetch({}, {kind: 'wrong-range'}));
    await refuses('bad-answer', /Content-Range "bytes a-b\/c"/, fetch(range, {kind: 'garbled-range'}));
    await refuses('bad-answer', /has no byte 10, it says \(416\)/, fetch(range, {kind: 'unsatisfiable'}));
    await refuses('bad-answer', /packed as gzip/, fetch(range, {kind: 'packed'}));
  });

  it('does not believe lengths', async () => {
    await refuses('changed', /400005 bytes long/, fetch({}, {kind: 'wrong-length', by: 5}));
    await refuses(
      'bad-answer',
      /announces 399995 bytes for a range of 399990/,
      fetch({offset: 10}, {kind: 'wrong-length', by: 5}),
    );
    await refuses('broken-off', /399000 bytes before its end/, fetch({}, {kind: 'short', bytes: 1000}));
    await refuses('wrong-length', /goes on after the 400000 bytes/, fetch({}, {kind: 'endless'}));
    await refuses('wrong-length', /goes on after/, fetch({offset: 10}, {kind: 'endless'}));
  });

  it('tells a broken connection, with all that came before', async () => {
    const answer = await open({offset: 5}, {kind: 'cut', afterBytes: 1000});
    const chunks: Uint8Array[] = [];
    await refuses(
      'broken-off',
      /\/payload broke off: /,
      (async () => {
        for await (const chunk of answer.body) chunks.push(chunk);
      })(),
    );
    assert.ok(Buffer.concat(chunks).equals(CONTENT.subarray(5, 1005)));
  });

  it('does not wait for ever', async () => {
    const startedAt = performance.now();
    await refuses('too-slow', /too slowly/, fetch({http: impatient}, {kind: 'stall', afterBytes: 1000}));
    await refuses('too-slow', /too slowly/, fetch({http: impatient}, {kind: 'drip'}));
    await refuses('unreachable', /timeout/i, fetch({http: impatient}, {kind: 'silent'}));
    assert.ok(performance.now() - startedAt < 60_000);
  });

  it('lets its reader take all the time', async () => {
    const answer = await open({http: impatient});
    let bytes = 0;
    for await (const chunk of answer.body) {
      // Longer in all than the server may be silent.
      if (bytes < 300_000) await new Promise((resolve) => setTimeout(resolve, 120));
      bytes += chunk.length;
    }
    assert.equal(bytes, CONTENT.length);
  });

  it('follows redirections, but not for ever', async () => {
    const whole = await fetch({offset: 7}, {kind: 'redirect', to: '/elsewhere'});
    assert.ok(whole.equals(CONTENT.subarray(7)));
    const faults = Array.from({length: 7}, (_, at): Fault => ({kind: 'redirect', to: `/${at}`}));
    await refuses('too-many-redirections', /on more than 5 times/, fetch({}, ...faults));
  });

  it('names the status', async () => {
    for (const status of [403, 404, 500, 503])
      await refuses('bad-status', new RegExp(`answered ${status}$`), fetch({}, {kind: 'status', status}));
  });

  it('stops at once when told to, at any stage', async () => {
    for (const fault of [{kind: 'silent'}, {kind: 'stall', afterBytes: 1000}] as const) {
      const stopping = new AbortController();
      const pending = fetch({signal: stopping.signal}, fault);
      setTimeout(() => stopping.abort(new Error('stopped')), 50);
      await assert.rejects(pending, /^Error: stopped$/);
    }
    const stopped = AbortSignal.abort(new Error('stopped before'));
    await assert.rejects(fetch({signal: stopped}), /^Error: stopped before$/);
  });

  it('closes the connection when its reader has enough', async () => {
    const answer = await open({}, {kind: 'endless'});
    for await (const chunk of answer.body) {
      assert.ok(chunk.length > 0);
      break;
    }
    // A body that nobody reads does not break anything later, either.
    await open({}, {kind: 'cut', afterBytes: 10});
    assert.ok((await fetch({})).equals(CONTENT));
  });

  it('asks through a proxy when told to', async () => {
    const heads: string[] = [];
    const proxy = createServer((socket) => {
      socket.once('data', (data) => {
        heads.push(data.toString('latin1').split('\r\n')[0] ?? '');
        socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
      });
      socket.on('error', () => undefined);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    assert.ok(typeof address === 'object' && address !== null);
    const viaProxy = createHttpClient({proxy: `http://127.0.0.1:${address.port}`});
    const {signal} = new AbortController();
    const url = 'http://updates.invalid/payload';
    await assert.rejects(
      openHttpRange(viaProxy, {url, offset: 0, bytes: 1, validators: null, signal}),
      HttpError,
    );
    assert.match(heads[0] ?? '', /updates\.invalid/);
    await viaProxy.close();
    proxy.close();
  });
});

describe('postBytes', () => {
  const post = (maxBytes = 1e6, http = client): Promise<Uint8Array> =>
    postBytes(http, server.url, Buffer.from('question'), {
      contentType: 'text/xml',
      maxBytes,
      signal: new AbortController().signal,
    });

  it('sends a document and gives the answer', async () => {
    server.plan();
    server.replace(Buffer.from('answer'));
    assert.equal(Buffer.from(await post()).toString(), 'answer');
    const {method, headers} = server.requests.at(-1) ?? assert.fail();
    assert.deepEqual([method, headers['content-type'], headers['content-length']], ['POST', 'text/xml', '8']);
  });

  it('asks once, follows nobody, and reads no more than it wants', async () => {
    const before = server.requests.length;
    server.plan(
      {kind: 'status', status: 503},
      {kind: 'redirect', to: '/elsewhere'},
      {kind: 'endless'},
      {kind: 'silent'},
    );
    await refuses('bad-status', /answered 503$/, post());
    await refuses('bad-status', /answered 302, and pointed to "\/elsewhere"/, post());
    await refuses('too-long', /more than 1000 bytes/, post(1000));
    await refuses('unreachable', /timeout/i, post(1000, impatient));
    assert.equal(server.requests.length, before + 4);
  });
});

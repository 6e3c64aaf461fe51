/** The door to HTTP against servers that misbehave: real sockets on 127.0.0.1. */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {type IncomingMessage, type ServerResponse, createServer} from 'node:http';
import {type AddressInfo, createServer as createSocketServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {createHttpClient} from '../../platform/http.ts';
import {HttpError, type HttpErrorCode} from '../../platform/http-error.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const CONTENT = Buffer.alloc(200_000, 'caisson ');
const EXPECTED = {bytes: CONTENT.length, sha256: createHash('sha256').update(CONTENT).digest('hex')};
// A proxy of this machine would answer for the servers here.
for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const client = createHttpClient();

let folder = '';
let requests: string[] = [];
let handler: Handler = () => undefined;
const server = createServer((request, response) => {
  requests.push(request.url ?? '');
  handler(request, response);
});
let base = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http-'));
  requests = [];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, {recursive: true});
});

const get = (path: string, maxBytes = 1e6, signal?: AbortSignal): Promise<Buffer> =>
  client.getBytes(base + path, {maxBytes, signal});

const download = (expected = EXPECTED, signal?: AbortSignal): Promise<void> =>
  client.download(`${base}/file`, join(folder, 'file'), expected, {signal});

async function refuses(code: HttpErrorCode, pattern: RegExp, action: Promise<unknown>): Promise<void> {
  const error: unknown = await action.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HttpError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  assert.deepEqual(await readdir(folder), []);
}

describe('getBytes', () => {
  it('gives the body of an answer', async () => {
    handler = (_, response) => response.end(CONTENT);
    assert.ok((await get('/x')).equals(CONTENT));
    assert.deepEqual(requests, ['/x']);
  });

  it('does not ask again after 404, and does after 503', async () => {
    handler = (_, response) => response.writeHead(404).end('no such file');
    await refuses('bad-status', /\/x answered 404$/, get('/x'));
    assert.equal(requests.length, 1);
    handler = (_, response) =>
      requests.length < 4 ? response.writeHead(503).end() : response.end('at last');
    assert.equal((await get('/y')).toString(), 'at last');
    assert.equal(requests.length, 4);
  });

  it('gives up after three attempts', async () => {
    handler = (_, response) => response.writeHead(500).end();
    await refuses('bad-status', /answered 500/, get('/x'));
    assert.equal(requests.length, 3);
  });

  it('stops reading what is longer than allowed, announced or not', async () => {
    handler = (_, response) => response.end(CONTENT);
    await refuses('too-long', /longer than 1000 bytes/, get('/x', 1000));
    let close = (): void => undefined;
    const closed = new Promise<void>((resolve) => (close = resolve));
    handler = (_, response) => {
      const pump = (): boolean => response.write(CONTENT, () => (response.destroyed ? undefined : pump()));
      response.on('close', close);
      pump();
    };
    await refuses('too-long', /longer than/, get('/endless'));
    await closed;
  });

  it('follows redirections, but not for ever', async () => {
    handler = ({url}, response) =>
      url === '/to' ? response.end('here') : response.writeHead(302, {location: '/to'}).end();
    assert.equal((await get('/from')).toString(), 'here');
    handler = (_, response) => response.writeHead(302, {location: '/again'}).end();
    await refuses('too-many-redirections', /\/loop leads in a circle/, get('/loop'));
    handler = ({url}, response) => response.writeHead(301, {location: `/${Number(url?.slice(1)) + 1}`}).end();
    await refuses('too-many-redirections', /\/0 leads .* on more than 5 times/, get('/0'));
    assert.ok(requests.length < 20);
  });

  it('says that nobody listens, or that the name is unknown', async () => {
    const closed = createSocketServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const {port} = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const nobody = client.getBytes(`http://127.0.0.1:${port}/`, {maxBytes: 10});
    await refuses(
      'unreachable',
      new RegExp(`cannot reach http://127\\.0\\.0\\.1:${port}/: .*ECONNREFUSED`),
      nobody,
    );
    await refuses(
      'unreachable',
      /cannot reach/,
      client.getBytes('http://no.such.host.invalid/', {maxBytes: 10}),
    );
  });

  it('reports a connection that breaks in the middle as what it is', async () => {
    handler = (_, response) => {
      response.writeHead(200, {'content-length': CONTENT.length});
      response.write(CONTENT.subarray(0, 1000), () => response.destroy());
    };
    await refuses('unreachable', /\/x/, get('/x'));
    assert.equal(requests.length, 3);
  });

  it('stops at once when told to, with the reason that was given', async () => {
    handler = (_, response) => void response.writeHead(200).write('a');
    const stopping = new AbortController();
    const pending = get('/stalled', 1e6, stopping.signal);
    setTimeout(() => stopping.abort(new Error('stopped by SIGINT')), 100);
    const startedAt = performance.now();
    await assert.rejects(pending, /^Error: stopped by SIGINT$/);
    assert.ok(performance.now() - startedAt < 20_000);
    assert.equal(requests.length, 1);
  });

  it('gives up on a server that has fallen silent', async () => {
    const impatient = createHttpClient({stallTimeoutMs: 200});
    handler = (_, response) => void response.writeHead(200).write('a');
    const startedAt = performance.now();
    await refuses('unreachable', /timeout/i, impatient.getBytes(`${base}/stalled`, {maxBytes: 1e6}));
    handler = () => undefined;
    await refuses('unreachable', /timeout/i, impatient.getBytes(`${base}/silent`, {maxBytes: 1e6}));
    assert.ok(performance.now() - startedAt < 60_000);
    await impatient.close();
  });
});

describe('download', () => {
  it('gives up on a server that sends a byte now and then', async () => {
    const impatient = createHttpClient({stallTimeoutMs: 500, minBytesPerSecond: 1_000_000});
    let drip: NodeJS.Timeout | undefined;
    handler = (_, response) => {
      response.writeHead(200);
      drip = setInterval(() => response.write('a'), 50);
    };
    await refuses(
      'too-slow',
      /\/file comes too slowly/,
      impatient.download(`${base}/file`, join(folder, 'file'), EXPECTED),
    );
    clearInterval(drip);
    assert.equal(requests.length, 1);
    await impatient.close();
  });

  it('puts a file in place when it is whole and right', async () => {
    handler = (_, response) => response.end(CONTENT);
    let heard = 0;
    await client.download(`${base}/file`, join(folder, 'file'), EXPECTED, {
      onBytes: (count) => (heard += count),
    });
    assert.ok((await readFile(join(folder, 'file'))).equals(CONTENT));
    assert.deepEqual(await readdir(folder), ['file']);
    assert.equal(heard, CONTENT.length);
  });

  it('refuses another content, once', async () => {
    handler = (_, response) => response.end(Buffer.alloc(CONTENT.length, 'x'));
    await refuses('wrong-hash', /has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}$/, download());
    assert.equal(requests.length, 1);
  });

  it('refuses another length', async () => {
    handler = (_, response) => response.end(CONTENT.subarray(0, 1000));
    await refuses('wrong-length', /ended after 1000 of 200000 bytes/, download());
    handler = (_, response) => response.end(Buffer.concat([CONTENT, CONTENT]));
    await refuses('wrong-length', /is longer than the 200000 bytes expected/, download());
  });

  it('begins anew after a connection that broke, and takes back what it counted', async () => {
    handler = (_, response) => {
      if (requests.length > 1) return void response.end(CONTENT);
      response.writeHead(200, {'content-length': CONTENT.length});
      response.write(CONTENT.subarray(0, 1000), () => response.destroy());
      return undefined;
    };
    let heard = 0;
    await client.download(`${base}/file`, join(folder, 'file'), EXPECTED, {
      onBytes: (count) => (heard += count),
    });
    assert.equal(requests.length, 2);
    assert.equal(heard, CONTENT.length);
  });

  it('leaves no part of a file when it is told to stop', async () => {
    handler = (_, response) => void response.writeHead(200).write(CONTENT.subarray(0, 1000));
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(new Error('stopped')), 100);
    await assert.rejects(download(EXPECTED, stopping.signal), /^Error: stopped$/);
    assert.deepEqual(await readdir(folder), []);
  });
});

describe('close', () => {
  it('does not wait for a server that says nothing', async () => {
    const other = createHttpClient();
    handler = () => undefined;
    const pending = other.getBytes(`${base}/silent`, {maxBytes: 10}).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const startedAt = performance.now();
    await other.close();
    assert.ok(performance.now() - startedAt < 20_000);
    assert.ok((await pending) instanceof Error);
  });
});

/** The release server on a socket, asked by the host's own client, by curl, and by people who mean no good. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, describe, it} from 'node:test';
import {formatChannels} from '../../server/channels.ts';
import {promoteRelease} from '../../server/channel-file.ts';
import {ServerError} from '../../server/errors.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {type ReleaseServer, serveReleases} from '../../server/serve.ts';
import {exec} from '../../platform/exec.ts';
import {HttpError} from '../../platform/http-error.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type CheckResult, checkForUpdate, reportEvent} from '../../update-engine/omaha/client.ts';
import {payloadStateFor} from '../../update-engine/omaha/payload-policy.ts';
import {openPayload} from '../../update-engine/omaha/payload-source.ts';
import {eventOfCheck} from '../../update-engine/omaha/request-of.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {skipWithout} from '../support/tool.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const http = createHttpClient();
const {signal} = new AbortController();
const host = {
  version: '1.0.0',
  alephVersion: '1.0.0',
  group: 'stable',
  machineId: '0123456789abcdef0123456789abcdef',
  machineAlias: 'rack 4',
  bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566',
  oem: {id: 'qemu', version: ''},
};
const payload = Buffer.from(samplePayload('1.1.0', 200));
let dir = '';
let server: ReleaseServer;
let lines: string[] = [];
let accesses: string[] = [];

const serve = (changes: Partial<Parameters<typeof serveReleases>[0]> = {}): Promise<ReleaseServer> =>
  serveReleases({
    dir,
    host: '127.0.0.1',
    port: 0,
    tls: null,
    publicUrl: null,
    now: () => Date.UTC(2026, 0, 2),
    onLine: (text) => lines.push(text),
    onAccess: (text) => accesses.push(text),
    ...changes,
  });
const promoteTo = (version: string, allowDowngrade = false): Promise<unknown> =>
  promoteRelease(dir, openReleaseFolder(dir), {version, channel: 'stable', allowDowngrade, at: 0}, signal);
const check = (url = `${server.url}/v1/update/`, client = http): Promise<CheckResult> =>
  checkForUpdate({http: client, url}, host, {
    by: 'timer',
    targetVersionPrefix: '',
    events: [eventOfCheck(null, host.version)],
    signal,
  });
const get = (path: string, headers: Record<string, string> = {}): ReturnType<typeof fetch> =>
  fetch(`${server.url}${path}`, {headers, redirect: 'manual'});

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'releases-'));
  await addRelease(dir, '1.0.0', samplePayload('1.0.0'));
  await addRelease(dir, '1.1.0', payload);
  await addRelease(dir, '1.2.0', null);
  server = await serve();
});
after(async () => {
  await Promise.all([server.close(0), http.close()]);
  await rm(dir, {recursive: true});
});
beforeEach(async () => {
  [lines, accesses] = [[], []];
  await rm(join(dir, 'channels.json'), {force: true});
});

async function offerOf(
  result: Promise<CheckResult>,
): Promise<Extract<CheckResult, {kind: 'offered'}>['offer']> {
  const found = await result;
  assert.ok(found.kind === 'offered', JSON.stringify(found));
  return found.offer;
}

describe('a host', () => {
  it('is offered what was promoted, at once, and gets its bytes', async () => {
    assert.deepEqual(await check(), {kind: 'nothing', hold: null, pollSeconds: null});
    await promoteTo('1.1.0');
    const offer = await offerOf(check());
    assert.deepEqual([offer.version, offer.bytes], ['1.1.0', payload.length]);
    const source = openPayload({
      http,
      offer,
      credentials: null,
      limit: null,
      state: payloadStateFor(offer, null),
      onRetry: assert.fail,
      now: () => 0,
      random: () => 0,
      sleep: () => Promise.resolve(),
    });
    for (const offset of [0, 5000]) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source.open(offset, signal)) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(payload.subarray(offset)));
    }
  });

  it('is heard: events, in lines and on the status page', async () => {
    const connection = {http, url: `${server.url}/v1/update/`};
    await reportEvent(connection, host, {type: 3, result: 0, errorCode: 10, previousVersion: null}, signal);
    assert.deepEqual(lines, ['rack 4 (1.0.0): update failed: PAYLOAD_HASH_MISMATCH']);
    const status = (await (await get('/status')).json()) as Record<
      'hosts' | 'events' | 'releases',
      Record<string, unknown>[]
    >;
    assert.equal(status.hosts[0]?.['machineId'], host.machineId);
    assert.equal(status.events[0]?.['errorCode'], 10);
    assert.deepEqual(
      status.releases.map(({version, offered}) => [version, offered]),
      [
        ['1.2.0', false],
        ['1.1.0', true],
        ['1.0.0', true],
      ],
    );
    // A download of the test before may be written down after it.
    assert.match(
      accesses.find((line) => line.includes('POST')) ?? '',
      /^2026-01-02T00:00:00\.000Z 127\.0\.0\.1 POST \/v1\/update\/ 200 \d+ \d+ms$/,
    );
  });

  it('learns what went wrong, with the number of the lineage', async () => {
    const failed = async (url: string): Promise<[number, number | null]> => {
      const result = await check(url);
      assert.ok(result.kind === 'failed', JSON.stringify(result));
      return [result.code, result.status];
    };
    assert.deepEqual(await failed(`${server.url}/nowhere`), [2404, 404]);
    assert.deepEqual(await failed(`${server.url}/status`), [2405, 405]);
    assert.deepEqual(await failed('http://127.0.0.1:1/'), [2000, null]);
    await writeFile(join(dir, 'channels.json'), '{}');
    assert.deepEqual(await failed(`${server.url}/v1/update`), [2500, 500]);
    assert.match(lines.join('\n'), /channels\.json does not tell channels/);
  });

  it('gets addresses of the name that the operator gave', async () => {
    const other = await serve({publicUrl: 'https://updates.example.com/caisson/'});
    await promoteTo('1.1.0');
    const {urls} = await offerOf(check(`${other.url}/v1/update/`));
    assert.match(
      urls[0] ?? '',
      /^https:\/\/updates\.example\.com\/caisson\/payloads\/[0-9a-f]{64}\/update\.payload$/,
    );
    await other.close(0);
  });
});

describe('promote', () => {
  it('takes only releases that hosts can install, and goes back only when told to', async () => {
    const refuses = (code: string, pattern: RegExp, action: Promise<unknown>): Promise<void> =>
      assert.rejects(
        action,
        (error: unknown) =>
          error instanceof ServerError && error.code === code && pattern.test(error.message),
      );
    await refuses('no-release', /no release 9\.0\.0/, promoteTo('9.0.0'));
    await refuses('no-release', /1\.2\.0 cannot be offered: there is no payload/, promoteTo('1.2.0'));
    await promoteTo('1.1.0');
    await refuses('older', /stable is at 1\.1\.0/, promoteTo('1.0.0'));
    await promoteTo('1.0.0', true);
    assert.deepEqual(await check(), {kind: 'nothing', hold: null, pollSeconds: null});
  });

  const faulty: [string, Uint8Array, RegExp][] = [
    ['is cut short', payload.subarray(0, -1), /has \d+ bytes, and should have \d+/],
    ['goes on', Buffer.concat([payload, Buffer.from('x')]), /and should have/],
    [
      'is for another release',
      samplePayload('1.9.0'),
      /is for caisson\/x86-64\/1\.9\.0, not caisson\/x86-64\/1\.3\.0/,
    ],
    ['is no payload', Buffer.alloc(100, 'x'), /begins with "xxxx"/],
    ['is empty', new Uint8Array(), /begins with 24 bytes/],
  ];
  for (const [name, bytes, pattern] of faulty)
    it(`refuses a payload that ${name}`, async () => {
      await addRelease(dir, '1.3.0', bytes);
      await assert.rejects(promoteTo('1.3.0'), pattern);
      await writeFile(
        join(dir, 'channels.json'),
        formatChannels({stable: {version: '1.3.0', promotedAt: 0, allowDowngrade: false, past: []}}),
      );
      assert.deepEqual(await check(), {kind: 'nothing', hold: null, pollSeconds: null});
      await rm(join(dir, '1.3.0'), {recursive: true});
    });

  it('sees a payload that was made again, under a new address', async () => {
    await promoteTo('1.0.0');
    const old = {...host, version: '0.9.0'};
    const ask = (): Promise<CheckResult> =>
      checkForUpdate({http, url: `${server.url}/v1/update/`}, old, {
        by: 'operator',
        targetVersionPrefix: '',
        events: [],
        signal,
      });
    const before = await offerOf(ask());
    const again = samplePayload('1.0.0', 20);
    await addRelease(dir, '1.0.0', again);
    const now = await offerOf(ask());
    assert.equal(now.bytes, again.length);
    assert.notEqual(now.urls[0], before.urls[0]);
    assert.equal((await fetch(before.urls[0] ?? '')).status, 404);
  });
});

describe('a payload', () => {
  let path = '';
  before(async () => {
    await promoteTo('1.1.0');
    path = new URL((await offerOf(check())).urls[0] ?? '').pathname;
  });

  it('may be kept for good, and is not sent again', async () => {
    const answer = await get(path);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(payload));
    assert.match(answer.headers.get('cache-control') ?? '', /immutable/);
    const etag = answer.headers.get('etag') ?? '';
    assert.equal(etag, `"${path.split('/')[2]}"`);
    assert.equal((await get(path, {'if-none-match': etag})).status, 304);
    assert.equal((await get(path, {'if-match': '"x"'})).status, 412);
  });

  it('comes in parts, and its head without it', async () => {
    const part = await get(path, {range: 'bytes=10-19'});
    assert.deepEqual(
      [part.status, part.headers.get('content-range')],
      [206, `bytes 10-19/${payload.length}`],
    );
    assert.ok(Buffer.from(await part.arrayBuffer()).equals(payload.subarray(10, 20)));
    const beyond = await get(path, {range: `bytes=${payload.length}-`});
    assert.deepEqual(
      [beyond.status, beyond.headers.get('content-range')],
      [416, `bytes */${payload.length}`],
    );
    const head = await fetch(`${server.url}${path}`, {method: 'HEAD'});
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(payload.length)]);
  });

  it('is all that is served of the folder', async () => {
    for (const bad of [
      '/',
      '/channels.json',
      '/1.1.0/release.json',
      '/payloads/../channels.json',
      '/payloads/%2e%2e/x',
      `${path}/..`,
      `/payloads/${'0'.repeat(64)}/update.payload`,
    ])
      assert.equal((await get(bad)).status, 404, bad);
    assert.equal((await fetch(`${server.url}${path}`, {method: 'DELETE'})).status, 405);
  });
});

describe('bad manners', () => {
  const post = (body: string, headers: Record<string, string> = {}): ReturnType<typeof fetch> =>
    fetch(`${server.url}/v1/update/`, {method: 'POST', body, headers});

  it('get a short answer', async () => {
    assert.equal((await post('hello')).status, 400);
    assert.equal((await post('<!DOCTYPE a><request protocol="3.0"/>')).status, 400);
    assert.equal((await post('x'.repeat(70_000))).status, 413);
    const answer = await fetch(`${server.url}/v1/update/`);
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST']);
    assert.equal((await get(`/${'x'.repeat(3000)}`)).status, 414);
  });

  it('do not get into the addresses of payloads', async () => {
    await promoteTo('1.1.0');
    const {port} = new URL(server.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        const body =
          '<request protocol="3.0"><app appid="{4cf3a2d6-5f0b-4e1c-9d57-0b1c8f6a7e42}" version="1.0.0" track="stable"><updatecheck/></app></request>';
        socket.write(
          `POST /v1/update HTTP/1.1\r\nHost: evil.example/@x"\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
      });
      let text = '';
      socket
        .on('data', (data) => (text += data.toString()))
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.doesNotMatch(answer, /evil/);
  });

  it('put no control characters into the log', async () => {
    const bad = {...host, machineAlias: 'a\nb'};
    await reportEvent(
      {http, url: `${server.url}/v1/update/`},
      bad,
      {type: 13, result: 1, errorCode: null, previousVersion: null},
      signal,
    );
    assert.deepEqual(lines, ['a?b (1.0.0): download started']);
  });
});

describe('closing', () => {
  it('lets an answer end, and takes no more', async () => {
    const other = await serve();
    await promoteTo('1.1.0');
    const {urls} = await offerOf(check(`${other.url}/v1/update/`));
    const answer = await fetch(urls[0] ?? '');
    const closing = other.close(5000);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(payload));
    await closing;
    await assert.rejects(fetch(`${other.url}/status`));
  });

  it('says which address it cannot have', async () => {
    const {port} = new URL(server.url);
    await assert.rejects(serve({port: Number(port)}), /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });
});

describe('TLS', {skip: await skipWithout(['openssl'], 'openssl')}, () => {
  it('is served, and judged by the certificate', async () => {
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
    await exec([
      ...[
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ] as [string, ...string[]]);
    const pem = await readFile(cert, 'utf8');
    const secure = await serve({tls: {cert: pem, key: await readFile(key, 'utf8')}});
    const trusting = createHttpClient({ca: pem});
    await promoteTo('1.1.0');
    const {urls} = await offerOf(check(`${secure.url}/v1/update/`, trusting));
    assert.match(urls[0] ?? '', /^https:\/\/127\.0\.0\.1:/);
    const refused = await check(`${secure.url}/v1/update/`);
    assert.ok(refused.kind === 'failed' && refused.error instanceof HttpError);
    assert.equal(refused.error.code, 'untrusted');
    assert.match(
      refused.error.message,
      /no trustworthy connection to https:\/\/127\.0\.0\.1:\d+: self-signed certificate/,
    );
    await Promise.all([secure.close(0), trusting.close()]);
  });
});

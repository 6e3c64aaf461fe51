/** `caisson server` as a process, and what clients do that are broken, slow or hostile. After each it serves others. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import type {Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {CAISSON_APP_ID} from '../../formats/omaha/request.ts';
import {EVENTS, hostRequest, tellServer} from '../support/fleet-client.ts';
import {openFilling} from '../support/full-disk.ts';
import {dial} from '../support/http-load.ts';
import {hearOut, saySomething, statusOf} from '../support/raw-http.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const isRoot = process.getuid?.() === 0;
/** Of the file system that the server has for its data, where the test may mount one. */
const DATA_MEBIBYTES = 150;
const PAYLOAD_BLOCKS = 8192;

let dir = '';
let server: ServerProcess;
let payloadPath = '';

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bad-input-'));
  await addRelease(dir, '1.1.0', samplePayload('1.1.0', PAYLOAD_BLOCKS));
  const small = `mkdir -p "$0" && mount -t tmpfs -o size=${DATA_MEBIBYTES}m tmpfs "$0" && exec "$@"`;
  const mounting = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', small, join(dir, 'server')];
  server = await startServerProcess({dir, wrapper: isRoot ? mounting : []});
  const policy = {pace: 'at once', halt: {failed: null, rolledBack: null, lost: null, together: null}};
  await server.call('PUT', 'groups/stable', {channel: 'stable', policy});
  const [status, answer] = await server.call('PUT', 'channels/stable', {version: '1.1.0'});
  assert.equal(status, 200, JSON.stringify(answer));
  const told = await tellServer(server.url, 'first');
  assert.ok(typeof told !== 'number');
  payloadPath = `${new URL(told.updateCheck?.codebases[0] ?? '').pathname}update.payload`;
});
after(async () => {
  await server.stop('SIGKILL');
  await rm(dir, {recursive: true, force: true});
});
afterEach(async () => {
  const told = await tellServer(server.url, 'another');
  assert.ok(typeof told !== 'number' && told.updateCheck?.status === 'ok', JSON.stringify(told));
});

const app = (inner: string): string =>
  `<request protocol="3.0"><app appid="${CAISSON_APP_ID}" version="1.0.0" track="stable" machineid="x" ${inner}</app></request>`;
const post = async (body: string | Uint8Array, headers: Record<string, string> = {}): Promise<number> =>
  (await fetch(`${server.url}/v1/update/`, {method: 'POST', body, headers})).status;

describe('documents', () => {
  const bad: readonly (readonly [string, string | Uint8Array, number])[] = [
    ['nothing', '', 400],
    ['a bomb of entities', `<!DOCTYPE a [${'<!ENTITY b "&b;&b;">'.repeat(99)}]>${app('>')}`, 400],
    [
      'a file of the server',
      `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>${app('oem="&b;">')}`,
      400,
    ],
    ['entities that nobody declared', app('oem="&b;">'), 400],
    ['twenty thousand levels', '<a>'.repeat(20_000), 400],
    ['thousands of attributes', app(`${Array.from({length: 6000}, (_, at) => `a${at}=""`).join(' ')}>`), 200],
    ['the same attribute again', app(`${'a="" '.repeat(2)}>`), 400],
    ['a NUL', app('oem="\u0000">'), 400],
    ['a NUL by reference', app('oem="&#0;">'), 400],
    ['UTF-16', Buffer.from(app('>'), 'utf16le'), 400],
    ['Latin-1', Buffer.from(app('oem="\u00fc">'), 'latin1'), 400],
    ['more apps than there are', `<request protocol="3.0">${'<app appid="x"/>'.repeat(17)}</request>`, 400],
    ['more events than there are', app(`>${'<event eventtype="3"/>'.repeat(65)}`), 400],
    ['a value without end', app(`oem="${'x'.repeat(5000)}">`), 400],
    ['numbers beyond numbers', app('><event eventtype="99999999999999999999"/>'), 400],
    ['another protocol', '<request protocol="4.0"/>', 400],
    ['an answer', '<response protocol="3.0"/>', 400],
    ['more than it takes', 'x'.repeat(70_000), 413],
    ['a machine that is called like a part of JavaScript', app('machinealias="__proto__">'), 200],
  ];
  for (const [name, body, status] of bad)
    it(`${status === 200 ? 'takes' : 'refuses'} ${name}`, async () => {
      assert.equal(await post(body), status);
    });

  it('refuses more than it takes, also from those who do not say how much', async () => {
    const part = 'x'.repeat(35_000);
    const chunk = `${part.length.toString(16)}\r\n${part}\r\n`;
    const head = 'POST /v1/update/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    assert.equal(statusOf(await saySomething(server.port, head, chunk, chunk, '0\r\n\r\n')), 413);
  });
});

describe('tokens', () => {
  for (const bearer of [
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${'x'.repeat(201)}`,
    'Bearer x y',
    'Basic YTpi',
    'bearer\u00fc',
  ])
    it(`refuses ${JSON.stringify(bearer.slice(0, 20))}`, async () => {
      const head = `GET /api/v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${bearer}\r\n\r\n`;
      assert.equal(statusOf(await saySomething(server.port, Buffer.from(head, 'latin1'))), 401);
    });

  it('refuses also those who are still sending, so that they see why', async () => {
    const address = `${server.url}/api/v1/uploads/${'0'.repeat(64)}?offset=0&bytes=8388608`;
    for (let time = 0; time < 5; time += 1) {
      const headers = {authorization: `Bearer ${'x'.repeat(68)}`};
      const answer = await fetch(address, {method: 'PUT', headers, body: Buffer.alloc(8 << 20)});
      assert.equal(answer.status, 401);
      assert.match(await answer.text(), /token/);
    }
  });
});

describe('addresses', () => {
  const paths = [
    ...[
      '/../../etc/passwd',
      '/..%2f..%2fetc/passwd',
      '/payloads/..%2f..%2f..%2fetc%2fpasswd',
      '//etc/passwd',
    ],
    ...[
      '/payloads/../admin.token',
      '/server/admin.token',
      '/1.1.0/release.json',
      '/payloads/%00',
      '/%',
      '/%zz',
    ],
    ...[
      '/api/v1/../../server/admin.token',
      '/api/v1/%2e%2e/x',
      '/api/v1/releases/..%2f..%2fx',
      '*',
      'x',
      '?',
    ],
    ...['http://127.0.0.1:1/', '/v1/update/../../x', '/\\..\\x', `/${'x/'.repeat(900)}`],
  ];
  it('lead to nothing of the folder', async () => {
    const {token} = server;
    for (const path of [...paths, `${payloadPath}%00`, `${payloadPath}/..`, `${payloadPath}/`]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      const answer = await saySomething(server.port, head);
      assert.ok([303, 400, 404, 405].includes(statusOf(answer) ?? 0), `${path}: ${answer.slice(0, 200)}`);
      assert.doesNotMatch(answer, /root:|caisson-release-1/);
    }
  });

  it('are not endless', async () => {
    const long = (bytes: number): string =>
      `GET /${'x'.repeat(bytes)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    assert.equal(statusOf(await saySomething(server.port, long(3000))), 414);
    assert.equal(statusOf(await saySomething(server.port, long(100_000))), 431);
  });
});

describe('two requests that look like one', () => {
  const inner = 'GET /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n';
  const shapes: readonly (readonly [string, string])[] = [
    ['two lengths', `Content-Length: 5\r\nContent-Length: 6\r\n\r\n${inner}`],
    ['two lengths in one line', `Content-Length: 5, 6\r\n\r\n${inner}`],
    ['a length and chunks', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ['chunks that are not the last coding', `Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n${inner}`],
    ['a blank before the colon', `Content-Length : 5\r\n\r\n${inner}`],
    ['a length with a sign', `Content-Length: +5\r\n\r\n${inner}`],
    ['a length beyond numbers', `Content-Length: 99999999999999999999\r\n\r\n${inner}`],
    ['a chunk beyond numbers', `Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${inner}`],
    ['a line that goes on', `X: a\r\n Content-Length: 5\r\n\0\r\n\r\n${inner}`],
  ];
  for (const [name, rest] of shapes)
    it(`get one answer, and it is no: ${name}`, async () => {
      const answer = await saySomething(server.port, `POST /v1/update/ HTTP/1.1\r\nHost: a\r\n${rest}`);
      assert.ok([400, 413].includes(statusOf(answer) ?? 0), answer);
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.match(answer, /connection: close/i);
    });
});

describe('slow clients', () => {
  it('are left behind: heads and bodies that do not come, and payloads that nobody takes', async () => {
    const head = await dial(server.port);
    head.write('POST /v1/update/ HTTP/1.1\r\nHost: a\r\n');
    // A byte now and then does not help.
    const drip = setInterval(() => head.write('X'), 500);
    const body = await dial(server.port);
    body.write('POST /v1/update/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n<request');
    const reader = await dial(server.port);
    reader.on('error', () => undefined);
    reader.pause();
    reader.write(`GET ${payloadPath} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const gone = new Promise<void>((resolve) => reader.once('close', () => resolve()));
    const heard = await Promise.all([hearOut(head), hearOut(body)]);
    clearInterval(drip);
    assert.deepEqual(heard.map(statusOf), [408, 408]);
    // What lies in buffers is still read, and then it ends.
    const log = (): boolean =>
      server.lines.some((line) => line.includes(payloadPath) && /(aborted|premature|closed)/i.test(line));
    while (!log()) await sleep(200);
    let bytes = 0;
    reader.on('data', (data) => (bytes += data.length));
    reader.resume();
    await gone;
    assert.ok(bytes < PAYLOAD_BLOCKS * 4096, `${bytes}`);
  });

  it('do not keep others out for long, however many say nothing', async () => {
    const dialHundred = (): Promise<Socket[]> =>
      Promise.all(
        Array.from({length: 100}, async () => (await dial(server.port)).on('error', () => undefined)),
      );
    // No more at a time than wait to be accepted: the system forgets those beyond, and never tells them.
    const silent: Socket[] = [];
    for (let round = 0; round < 20; round += 1) silent.push(...(await dialHundred()));
    const giveUpAt = performance.now() + 120_000;
    // Connections of their own, all at the same time: one place that is free is not enough.
    const areLetIn = async (): Promise<boolean> => {
      const guests = await dialHundred();
      const answers = guests.map(async (guest) => {
        guest.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        await Promise.race([
          once(guest, 'data'),
          once(guest, 'close').then(() => Promise.reject(new Error())),
        ]);
      });
      const heard = await Promise.allSettled(answers);
      for (const guest of guests) guest.destroy();
      return heard.every(({status}) => status === 'fulfilled');
    };
    while (!(await areLetIn())) {
      assert.ok(performance.now() < giveUpAt, 'nobody else gets in');
      await sleep(100);
    }
    for (const socket of silent) socket.destroy();
  });
});

describe('a disk that is full', {skip: isRoot ? false : 'mounting a small disk needs root'}, () => {
  it('loses nothing that was answered, says so, and goes on when there is room', async () => {
    const path = `/proc/${server.pid}/root${join(dir, 'server')}/filling`;
    const disk = await openFilling(path);
    await disk.fill();
    let [told, refused] = [0, 0];
    const kept: string[] = [];
    for (; refused < 3 && told < 20_000; told += 50) {
      const ids = Array.from({length: 50}, (_, at) => `full-${told + at}`);
      const answers = await Promise.all(
        ids.map((id) => tellServer(server.url, id, {events: [EVENTS.downloading]})),
      );
      answers.forEach((answer, at) => {
        if (typeof answer === 'number') {
          assert.equal(answer, 500);
          refused += 1;
        } else kept.push(ids[at] ?? '');
      });
    }
    assert.ok(refused > 0, 'the disk was never full');
    assert.match(server.lines.filter((line) => !line.includes('POST')).join('\n'), /No space left on device/);
    await disk.empty();
    await disk.close();
    const again = await tellServer(server.url, 'full-again');
    assert.ok(typeof again !== 'number' && again.updateCheck?.status === 'ok');
    const [, status] = await server.call('GET', 'status');
    const {groups} = status as {groups: {name: string; rollout: {inFlight: number}}[]};
    assert.ok((groups.find(({name}) => name === 'stable')?.rollout.inFlight ?? 0) > kept.length);
  });
});

describe('at the end', () => {
  it('it is still the same process', () => {
    process.kill(server.pid, 0);
    assert.ok(hostRequest('x').length > 0);
  });
});

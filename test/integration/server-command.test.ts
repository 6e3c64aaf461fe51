/** `caisson server` as a process: asked by the host's own client, steered over its API, killed and started again. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {after, before, describe, it} from 'node:test';
import {type RunningProcess, start} from '../../platform/exec.ts';
import {createHttpClient} from '../../platform/http.ts';
import {type CheckResult, checkForUpdate, reportEvent} from '../../update-engine/omaha/client.ts';
import {OTHER_KEY, TEST_KEY} from '../support/payload.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {ROOT_DIR} from '../support/sources.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const http = createHttpClient();
const {signal} = new AbortController();
const host = (machineId: string): Parameters<typeof checkForUpdate>[1] => ({
  version: '1.0.0',
  alephVersion: '1.0.0',
  group: 'stable',
  machineId,
  machineAlias: 'rack 4',
  bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566',
  oem: {id: 'qemu', version: ''},
});
const [FIRST, SECOND] = ['0'.repeat(32), '1'.repeat(32)];

let dir = '';
let url = '';
let running: RunningProcess | null = null;
let token = '';

async function startServer(): Promise<void> {
  const args = ['server', '--dir', dir, '--data', join(dir, 'server'), '--key', join(dir, 'mine.pub.pem')];
  const server = start([join(ROOT_DIR, 'caisson'), ...args, '--listen', '127.0.0.1:0']);
  running = server;
  const lines: string[] = [];
  const found = new Promise<string>((resolve) => {
    createInterface({input: server.stdout}).on('line', (line) => {
      lines.push(line);
      const address = /SERVER=(http:\/\/[^/]+)\/v1\/update\//.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  const ended = server.ended.then(({stderr}) => {
    throw new Error(`the server ended: ${lines.join('\n')}\n${stderr}`);
  });
  ended.catch(() => undefined);
  url = await Promise.race([found, ended]);
}

async function stopServer(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  running?.kill(how);
  await running?.ended;
  running = null;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  bearer = token,
): Promise<[number, unknown]> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    method,
    headers: bearer === '' ? {} : {authorization: `Bearer ${bearer}`},
    ...(body === undefined ? {} : {body: typeof body === 'string' ? body : JSON.stringify(body)}),
  });
  return [answer.status, await answer.json()];
}
const statusOf = async (...args: Parameters<typeof call>): Promise<number> => (await call(...args))[0];
const check = (machineId: string): Promise<CheckResult> =>
  checkForUpdate({http, url: `${url}/v1/update/`}, host(machineId), {
    by: 'timer',
    targetVersionPrefix: '',
    events: [],
    signal,
  });

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'server-'));
  await writeFile(join(dir, 'mine.pub.pem'), TEST_KEY.publicKey.export({type: 'spki', format: 'pem'}));
  await addRelease(dir, '1.1.0', samplePayload('1.1.0'));
  await addRelease(dir, '1.2.0', samplePayload('1.2.0', 16, [OTHER_KEY.privateKey]));
  await startServer();
  token = (await readFile(join(dir, 'server', 'admin.token'), 'utf8')).trim();
});
after(async () => {
  await stopServer('SIGKILL');
  await http.close();
  await rm(dir, {recursive: true, force: true});
});

describe('caisson server', () => {
  it('keeps its first token for those who may read its folder', async () => {
    assert.equal((await stat(join(dir, 'server', 'admin.token'))).mode & 0o777, 0o600);
    for (const wrong of ['', 'x', `${token}x`, token.replace(/.$/, '?')])
      assert.equal(await statusOf('GET', 'status', undefined, wrong), 401);
    const [code, value] = await call('GET', 'status');
    assert.equal(code, 200);
    const {groups} = value as {groups: {name: string}[]};
    assert.deepEqual(
      groups.map(({name}) => name),
      ['alpha', 'beta', 'stable'],
    );
  });

  it('says what is wrong with a call', async () => {
    const calls: [string, string, unknown, number][] = [
      ['PUT', 'channels/stable', {version: '9.9.9'}, 404],
      ['PUT', 'channels/stable', {version: 'new'}, 400],
      ['PUT', 'channels/stable', 'no json', 400],
      ['PUT', 'channels/stable', {version: '1.2.0'}, 422],
      ['PUT', 'channels/..%2fx', {version: '1.1.0'}, 404],
      ['DELETE', 'channels/stable', undefined, 405],
      ['PUT', 'groups/stable', {channel: 'stable', policy: {pace: 'soon'}}, 400],
      ['PUT', 'groups/stable', {channel: 'beta', policy: {}}, 409],
      ['POST', 'groups/none/resume', undefined, 404],
    ];
    for (const [method, path, body, status] of calls) {
      const [code, value] = await call(method, path, body);
      assert.equal(code, status, `${method} ${path}`);
      assert.equal(typeof (value as {error?: unknown}).error, 'string');
    }
  });

  it('rolls a release out, stops by itself, and knows all of it when it was killed', async () => {
    const halt = {rolledBack: {machines: 1, share: '0%'}, failed: null, lost: null, together: null};
    assert.equal(
      await statusOf('PUT', 'groups/stable', {channel: 'stable', policy: {pace: 'at once', halt}}),
      200,
    );
    assert.equal((await check(FIRST)).kind, 'nothing');
    assert.equal(await statusOf('PUT', 'channels/stable', {version: '1.1.0'}), 200);
    const first = await check(FIRST);
    assert.ok(first.kind === 'offered' && first.offer.version === '1.1.0');
    const payload = await fetch(first.offer.urls[0] ?? '');
    assert.equal((await payload.arrayBuffer()).byteLength, first.offer.bytes);
    await stopServer('SIGKILL');
    await startServer();
    const rolledBack = {type: 3, result: 0, errorCode: 44, previousVersion: null};
    await reportEvent({http, url: `${url}/v1/update/`}, host(FIRST), rolledBack, signal);
    await stopServer('SIGKILL');
    await startServer();
    assert.equal((await check(SECOND)).kind, 'nothing');
    const [, value] = await call('GET', 'status');
    const {groups} = value as {groups: {name: string; rollout: {state: {stopped: {kind: string} | null}}}[]};
    assert.equal(groups.find(({name}) => name === 'stable')?.rollout.state.stopped?.kind, 'halted');
    assert.equal(await statusOf('POST', 'groups/stable/resume'), 200);
    assert.equal((await check(SECOND)).kind, 'offered');
    assert.equal(await statusOf('POST', 'groups/stable/pause', {reason: 'audit'}), 200);
    assert.equal((await check('2'.repeat(32))).kind, 'nothing');
  });

  it('survives requests that are none, and ends in order', async () => {
    for (const body of ['', '<a>', '<!DOCTYPE x [<!ENTITY y "z">]><request/>', 'x'.repeat(100_000)]) {
      const answer = await fetch(`${url}/v1/update/`, {method: 'POST', body});
      assert.ok([400, 413].includes(answer.status), String(answer.status));
    }
    assert.equal((await fetch(`${url}/v1/update/`)).status, 405);
    assert.equal((await fetch(`${url}/payloads/${'0'.repeat(64)}/update.payload`)).status, 404);
    await stopServer('SIGTERM');
    await startServer();
    assert.equal(await statusOf('GET', 'status'), 200);
  });
});

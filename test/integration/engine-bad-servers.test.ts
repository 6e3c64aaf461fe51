/**
 * The engine as a whole against servers that lie, stall and break off: each costs an error that an operator can read,
 * leaves the slots as they were and the next check planned, and the same engine then installs from a good server.
 */
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {type ServerResponse, createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {createHttpClient} from '../../platform/http.ts';
import {readSlotsNow} from '../../update-engine/slots/slots-now.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {type BadServer, type Fault, startBadServer} from '../support/bad-server.ts';
import {ctl, isRest} from '../support/engine-bench.ts';
import {type RunningEngine, startEngine} from '../support/engine-process.ts';
import {offerAnswer} from '../support/omaha-offer.ts';
import {type EngineWorld, holds, makeEngineWorld, writeConf} from '../support/engine-world.ts';

interface Announced {
  bytes: number;
  sha256: string;
}

const VERSION = '1.1.0';
const WHOLE: Fault = {kind: 'none'};
const LOOP: readonly Fault[] = Array.from({length: 12}, () => ({kind: 'redirect', to: '/payload'}));
for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];

let folder: string;
let world: EngineWorld;
let payloads: BadServer;
let mirror: BadServer;
/** Where the payload lies as well, to be asked first. */
let mirrorUrls: readonly string[] = [];
let engine: RunningEngine;
let announced: Announced;
let honest: Announced;
/** Answers the question for updates; null for the usual answer. */
let misanswer: ((response: ServerResponse) => void) | null = null;

const omaha = createServer((request, response) => {
  request.resume().on('end', () => {
    if (misanswer === null) response.end(answer());
    else misanswer(response);
  });
});

function answer(): string {
  return offerAnswer({version: VERSION, urls: [...mirrorUrls, payloads.url], ...announced});
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bad-servers-'));
  world = await makeEngineWorld(folder, [VERSION]);
  const content = await readFile(world.payloadOf(VERSION));
  honest = {bytes: content.length, sha256: createHash('sha256').update(content).digest('hex')};
  announced = honest;
  payloads = await startBadServer(content);
  mirror = await startBadServer(content);
  await new Promise<void>((resolve) => omaha.listen(0, '127.0.0.1', resolve));
  const {port} = omaha.address() as AddressInfo;
  await writeConf(world, {SERVER: `http://127.0.0.1:${port}/v1/update/`, REBOOT_STRATEGY: 'off'});
  engine = await startEngine(world, {
    world: {createHttp: () => createHttpClient({stallTimeoutMs: 2_000, minBytesPerSecond: 100_000})},
  });
});
after(async () => {
  await engine.stop();
  omaha.closeAllConnections();
  omaha.close();
  await payloads.close();
  await mirror.close();
  await rm(folder, {recursive: true});
});

async function bits(): Promise<string[]> {
  const {slots} = await readSlotsNow(imageSlotDisk(world.disk));
  return slots.map(({letter, priority, tries, successful}) => `${letter}${priority}${tries}${successful}`);
}

/** The error as status shows it, after an update that failed. */
async function failure(stage: string, code: number, pattern: RegExp): Promise<void> {
  const before = await bits();
  await assert.rejects(ctl(engine, 'update'), pattern);
  const {lastError, state, nextBoot, nextCheckAt} = await engine.until(isRest, 'at rest');
  assert.deepEqual([lastError?.stage, lastError?.code], [stage, code], lastError?.message);
  assert.match(lastError?.message ?? '', pattern);
  assert.notEqual(lastError?.hint, null, lastError?.message);
  assert.deepEqual([state, nextBoot?.slot], ['IDLE', 'A']);
  assert.ok((nextCheckAt ?? 0) > Date.now(), 'the next check is planned');
  assert.deepEqual(await bits(), before);
}

async function success(): Promise<void> {
  misanswer = null;
  announced = honest;
  payloads.plan();
  assert.equal((await ctl(engine, 'update')).code, 0);
  const release = world.releases.get(VERSION);
  assert.ok(release !== undefined && (await holds(world.disk, 'B', release)));
  assert.deepEqual(await bits(), ['A10true', 'B22false']);
  await ctl(engine, 'reset');
}

/** What happens to which request: the first is for the head of the payload, the second for the rest of it. */
const DOWNLOADS: readonly (readonly [string, readonly Fault[], number, RegExp])[] = [
  ['no such file', [{kind: 'status', status: 404}], 9, /answered 404/],
  ['a server in trouble', [{kind: 'status', status: 503}], 9, /answered 503/],
  ['silence', [{kind: 'silent'}], 9, /./],
  ['a body that ends early', [{kind: 'short', bytes: 100}], 9, /ended/],
  ['a length that is too large', [{kind: 'wrong-length', by: 5}], 11, /another file/],
  ['a length that is too small', [{kind: 'wrong-length', by: -5}], 11, /another file/],
  ['a packed body', [{kind: 'packed'}], 9, /packed/],
  ['redirections in a circle', LOOP, 9, /circle/],
  ['other bytes', [{kind: 'wrong-bytes'}], 21, /./],
  ['a reset connection', [WHOLE, {kind: 'cut', afterBytes: 50_000}], 9, /broke off|closed|ended/],
  ['a body that stalls', [WHOLE, {kind: 'stall', afterBytes: 50_000}], 9, /./],
  ['a body that drips', [WHOLE, {kind: 'drip'}], 9, /slow/],
  ['an endless body', [WHOLE, {kind: 'endless'}], 11, /goes on after/],
  ['a range that lies', [WHOLE, {kind: 'wrong-range'}], 9, /answered with bytes/],
  ['a range that is none', [WHOLE, {kind: 'garbled-range'}], 9, /Content-Range/],
  ['no such range', [WHOLE, {kind: 'unsatisfiable'}], 9, /416/],
  ['another file, told', [WHOLE, {kind: 'other-file', isHonest: true}], 11, /another file/],
  ['another file under the range', [WHOLE, {kind: 'other-file', isHonest: false}], 11, /another file/],
  ['other bytes in the middle', [WHOLE, {kind: 'wrong-bytes'}], 29, /./],
];

const ANSWERS: readonly (readonly [string, (response: ServerResponse) => void, number, RegExp])[] = [
  ['no XML', (response) => response.end('<html>hello'), 31, /XML/],
  ['truncated XML', (response) => response.end(answer().slice(0, 300)), 31, /XML/],
  ['a DOCTYPE', (response) => response.end('<!DOCTYPE x><response protocol="3.0"/>'), 31, /DOCTYPE/],
  ['huge XML', (response) => response.end(Buffer.alloc(2 << 20, '<a/>')), 2000, /more than/],
  ['nothing', (response) => response.end(), 31, /XML/],
  ['another document', (response) => response.end('<response protocol="3.0"/>'), 34, /no updatecheck/],
  ['silence', () => undefined, 2000, /./],
  ['a reset', (response) => response.destroy(), 2000, /./],
  ['a redirection', (response) => response.writeHead(302, {location: '/x'}).end(), 2302, /302/],
  ['an error', (response) => response.writeHead(500).end('no'), 2500, /500/],
];

/** What a mirror does until nobody asks it any more. */
const MIRRORS: readonly (readonly [string, readonly Fault[]])[] = [
  ['does not have the file', [{kind: 'status', status: 404}]],
  ['is in trouble', [{kind: 'status', status: 503}]],
  ['says nothing', [{kind: 'silent'}]],
  ['has a longer file', [{kind: 'wrong-length', by: 5}]],
  ['has other bytes', [{kind: 'wrong-bytes'}]],
  ['breaks off', [WHOLE, {kind: 'cut', afterBytes: 50_000}]],
  ['stalls', [WHOLE, {kind: 'stall', afterBytes: 50_000}]],
  ['has other bytes further on', [WHOLE, {kind: 'wrong-bytes'}]],
];

describe('an update from a server', () => {
  it('that answers a range with the whole file is done all the same', async () => {
    payloads.plan(WHOLE, {kind: 'no-ranges'});
    assert.equal((await ctl(engine, 'update')).code, 0);
    await ctl(engine, 'reset');
  });

  for (const [name, faults, code, pattern] of DOWNLOADS) {
    it(`that gives ${name} fails, and is done later`, async () => {
      payloads.plan(...faults);
      await failure('download', code, pattern);
      await success();
    });
  }

  for (const [name, reply, code, pattern] of ANSWERS) {
    it(`that answers the check with ${name} fails, and is done later`, async () => {
      misanswer = reply;
      await failure('check', code, pattern);
    });
  }

  it('that announces another hash or size fails, and is done later', async () => {
    await success();
    announced = {...honest, sha256: '0'.repeat(64)};
    await failure('download', 29, /SHA-256|hash/);
    announced = {...honest, bytes: honest.bytes + 1};
    await failure('download', 11, /another file/);
    announced = {...honest, bytes: honest.bytes - 1};
    await failure('download', 11, /another file/);
    await success();
  });
});

describe('an update from a mirror', () => {
  after(() => (mirrorUrls = []));
  /** The update is done from the server, in the same run. */
  async function done(): Promise<void> {
    const before = payloads.requests.length;
    await success();
    assert.ok(payloads.requests.length > before, 'the server was not asked');
  }

  it('that works leaves the server alone', async () => {
    mirrorUrls = [mirror.url];
    mirror.plan();
    const before = payloads.requests.length;
    await success();
    assert.equal(payloads.requests.length, before);
  });

  it('that is gone is done from the server', async () => {
    mirrorUrls = ['http://127.0.0.1:1/payload', 'http://nowhere.invalid/payload'];
    await done();
  });

  for (const [name, faults] of MIRRORS) {
    it(`that ${name} is done from the server`, async () => {
      // Under an address of its own: the engine goes on where a mirror has let it down before.
      mirrorUrls = [new URL(`${encodeURIComponent(name)}/payload`, mirror.url).href];
      const before = mirror.requests.length;
      mirror.plan(...faults);
      await done();
      assert.equal(mirror.requests.length - before, faults.length);
    });
  }
});

/**
 * The engine with signed channels: against the release server, against mirrors that are frozen, rolled back, or show what
 * is not theirs, and against a folder of files on a plain web server.
 */
import assert from 'node:assert/strict';
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {type Server, createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join, normalize} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {rereadChannel, signChannel} from '../../formats/channel-metadata/channel-file.ts';
import type {ChannelDocument} from '../../formats/channel-metadata/document.ts';
import {exportChannels} from '../../server/channel-metadata/export.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {type ReleaseServer, serveReleases} from '../../server/serve.ts';
import type {Status} from '../../update-engine/api/status.ts';
import {CHANNEL_KEY, DAY_MS} from '../support/channel.ts';
import {ctl, engineBench} from '../support/engine-bench.ts';
import type {RunningEngine} from '../support/engine-process.ts';
import {holds, promote, writeConf} from '../support/engine-world.ts';
import {OTHER_KEY} from '../support/payload.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];

const SETTINGS = {lifetimeMs: 7 * DAY_MS, refreshMs: DAY_MS};
const bench = await engineBench(['1.1.0', '1.2.0']);
let server: ReleaseServer;
let mirror: {url: string; folder: string; server: Server};

beforeEach(async () => {
  const {served, folder, paths} = bench.world();
  await mkdir(paths.channelKeys, {recursive: true});
  const pem = CHANNEL_KEY.publicKey.export({type: 'spki', format: 'pem'});
  await writeFile(join(paths.channelKeys, 'channel.pem'), pem);
  server = await serveReleases({
    ...{dir: served, host: '127.0.0.1', port: 0, tls: null, publicUrl: null, now: () => Date.now()},
    channelSigning: {keys: [CHANNEL_KEY.privateKey], settings: SETTINGS},
    onLine: () => undefined,
    onAccess: () => undefined,
  });
  mirror = await plainServer(join(folder, 'www'));
});
afterEach(async () => {
  await server.close(0);
  mirror.server.closeAllConnections();
  mirror.server.close();
});

/** Files, 200 or 404, and not a word of ranges or tags. */
async function plainServer(folder: string): Promise<typeof mirror> {
  const plain = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
    readFile(join(folder, path)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end('no'),
    );
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`, folder, server: plain};
}

async function follow(changes: Readonly<Record<string, string>> = {}): Promise<RunningEngine> {
  const conf = {SERVER: `${server.url}/v1/update/`, GROUP: 'stable', REBOOT_STRATEGY: 'off'};
  await writeConf(bench.world(), {...conf, ...changes});
  return bench.start();
}

async function check(engine: RunningEngine): Promise<Status> {
  await ctl(engine, 'check').catch(() => undefined);
  return engine.until(({state}) => state === 'IDLE', 'at rest');
}

/** Puts a document onto the mirror, as the server signed it or with changes. */
async function show(
  changes: Partial<ChannelDocument> = {},
  key = CHANNEL_KEY.privateKey,
): Promise<ChannelDocument> {
  const answer = await fetch(`${server.url}/channels/stable.json`);
  const {document} = rereadChannel(Buffer.from(await answer.arrayBuffer()));
  const changed = {...document, ...changes};
  await mkdir(join(mirror.folder, 'channels'), {recursive: true});
  await writeFile(join(mirror.folder, 'channels/stable.json'), signChannel(changed, [key]));
  return changed;
}

async function exportTo(folder: string, changes: Partial<Parameters<typeof exportChannels>[0]> = {}) {
  const {served} = bench.world();
  return exportChannels({
    ...{from: served, to: folder, channels: ['stable'], releases: openReleaseFolder(served)},
    ...{
      keys: [CHANNEL_KEY.privateKey],
      settings: SETTINGS,
      spreadSeconds: 0,
      allowDowngrade: false,
      prune: false,
    },
    vouch: () => Promise.resolve(),
    now: () => Date.now(),
    onLine: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  });
}

const standing = ({channel}: Status): string =>
  `${channel?.standing ?? ''} ${channel?.findings.join() ?? ''}`.trim();

describe('a host with a channel key and an update server', () => {
  it('sees the signed channel beside the offer, and installs', async () => {
    const engine = await follow();
    const status = await check(engine);
    assert.equal(standing(status), 'current');
    assert.deepEqual([status.channel?.version, status.lastCheck?.outcome], ['1.1.0', 'offered']);
    assert.match((await ctl(engine, 'channel')).out, /channel stable is at 1\.1\.0.*it holds for/);
    assert.match(await engine.client.metrics(), /caisson_channel_problem\{finding="expired"\} 0/);
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('without a key checks nothing and says so', async () => {
    await rm(bench.world().paths.channelKeys, {recursive: true});
    const status = await check(await follow());
    assert.deepEqual([standing(status), status.lastCheck?.outcome], ['unchecked', 'offered']);
    assert.match(status.channel?.detail ?? '', /no key of a channel/);
  });

  it('warns of a mirror that lacks the file, shows one of another key, or is frozen, and installs all the same', async () => {
    const engine = await follow({CHANNEL_METADATA: mirror.url});
    assert.equal(standing(await check(engine)), 'doubtful missing');
    await show({}, OTHER_KEY.privateKey);
    assert.equal(standing(await check(engine)), 'doubtful untrusted');
    await show({channel: 'alpha', groups: []});
    assert.equal(standing(await check(engine)), 'doubtful untrusted');
    const past = Date.now() - 10 * DAY_MS;
    await show({issued: past, expires: past + 7 * DAY_MS, serial: 5});
    const status = await check(engine);
    assert.deepEqual([standing(status), status.lastCheck?.outcome], ['doubtful expired', 'offered']);
    assert.match((await ctl(engine, 'status')).out, /channel +warning: .*has not been signed anew since/);
    assert.ok(engine.lines.some((line) => line.includes('a stale mirror?')));
  });

  it('refuses everything while a mirror is rolled back, also after a restart, until told otherwise', async () => {
    const engine = await follow({CHANNEL_METADATA: mirror.url});
    const {serial} = await show();
    assert.equal(standing(await check(engine)), 'current');
    await show({serial: serial - 1});
    const status = await check(engine);
    assert.deepEqual([standing(status), status.lastCheck?.outcome], ['backwards older', 'refused']);
    await engine.stop();
    const again = await follow({CHANNEL_METADATA: mirror.url});
    assert.equal(standing(await check(again)), 'backwards older');
    await assert.rejects(ctl(again, 'update'), /goes backwards/);
    assert.match((await ctl(again, 'channel forget')).out, /forgotten/);
    assert.equal((await ctl(again, 'update')).code, 0);
  });

  it('refuses an offer that the signed channel does not have', async () => {
    const engine = await follow({CHANNEL_METADATA: mirror.url});
    const document = await show();
    const releases = document.releases.map((each) => ({...each, sha256: 'f'.repeat(64)}));
    await show({serial: document.serial + 1, releases});
    const status = await check(engine);
    assert.equal(status.lastCheck?.outcome, 'refused');
    assert.match(status.lastCheck.detail, /with SHA-256 ffff/);
  });
});

describe('a host that follows a folder of files', () => {
  it('on a web server without ranges installs, without an update server', async () => {
    await exportTo(mirror.folder);
    const engine = await follow({SERVER: `static+${mirror.url}`});
    assert.equal((await ctl(engine, 'update')).code, 0);
    const {disk, releases} = bench.world();
    const release = releases.get('1.1.0');
    assert.ok(release !== undefined && (await holds(disk, 'B', release)));
    assert.equal((await engine.client.status()).config.server, `static+${mirror.url}`);
  });

  it('takes nothing without a valid signature', async () => {
    const engine = await follow({SERVER: `static+${mirror.url}`});
    assert.match((await check(engine)).lastError?.message ?? '', /answered 404/);
    await exportTo(mirror.folder, {keys: [OTHER_KEY.privateKey]});
    assert.match((await check(engine)).lastError?.message ?? '', /not signed by any of 1 trusted/);
    await rm(join(mirror.folder, 'channels'), {recursive: true});
    await exportTo(mirror.folder, {now: () => Date.now() - 30 * DAY_MS});
    const status = await check(engine);
    assert.deepEqual([standing(status), status.lastCheck?.outcome], ['doubtful expired', 'refused']);
    await exportTo(mirror.folder);
    assert.equal((await check(engine)).lastCheck?.outcome, 'offered');
  });

  it('on a stick that is mounted installs', async () => {
    const stick = join(bench.world().folder, 'stick');
    await exportTo(stick);
    const engine = await follow({SERVER: `static+file://${stick}`});
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('does not wait for its turn when a person asks', async () => {
    await exportTo(mirror.folder, {spreadSeconds: 80 * 86_400});
    const engine = await follow({SERVER: `static+${mirror.url}`});
    assert.equal((await ctl(engine, 'update')).code, 0);
  });

  it('honours a pin, and has no key without the release having one', async () => {
    await exportTo(mirror.folder);
    const engine = await follow({SERVER: `static+${mirror.url}`, UPDATE_PIN: '1.0'});
    assert.equal((await check(engine)).lastCheck?.outcome, 'nothing');
    await rm(bench.world().paths.channelKeys, {recursive: true});
    assert.match(
      (await check(engine)).lastError?.message ?? '',
      /cannot be followed: this release has no key/,
    );
  });
});

describe('an export', () => {
  it('done again changes nothing, and after a promotion brings the payload and prunes others', async () => {
    const {folder} = mirror;
    const file = join(folder, 'channels/stable.json');
    assert.equal((await exportTo(folder)).added.length, 1);
    const first = await readFile(file);
    assert.deepEqual((await exportTo(folder)).added, []);
    assert.deepEqual(await readFile(file), first);
    await promote(bench.world(), '1.2.0');
    const next = await exportTo(folder);
    assert.deepEqual([next.added.length, next.channels[0]?.version], [1, '1.2.0']);
    assert.ok((next.channels[0]?.serial ?? 0) > rereadChannel(first).document.serial);
    await mkdir(join(folder, 'payloads', 'a'.repeat(64)));
    assert.deepEqual((await exportTo(folder, {prune: true})).removed, ['a'.repeat(64)]);
  });
});

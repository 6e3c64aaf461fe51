/** The signed channels of the release server over a real store: what hosts get, and what is kept of it. */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {openChannel, type OpenedChannel} from '../../formats/channel-metadata/channel-file.ts';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import {hubChannelRoutes} from '../../server/channel-metadata/hub-channels.ts';
import {storedChannels} from '../../server/channel-metadata/store.ts';
import {createRouter} from '../../server/route.ts';
import {addGroup} from '../../server/store/groups.ts';
import {addChannel, addRelease, promoteChannel} from '../../server/store/releases.ts';
import {type Store, openStore} from '../../server/store/store.ts';
import {CHANNEL_KEY, DAY_MS, ISSUED} from '../support/channel.ts';
import {placeOf} from '../support/store-samples.ts';

const {signal} = new AbortController();
let folder: string;
let store: Store;
let revision = 0;
let now = ISSUED;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-channels-'));
  store = await openStore(placeOf(join(folder, 'data')), {now, onLost: () => undefined, signal});
  const {database} = store;
  await addChannel(database, 'stable');
  const id = '11111111-2222-4333-8444-555555555555';
  await addGroup(database, {id, name: 'edge', channel: 'stable', document: {pin: '1.0.0'}}, now);
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    const sha256 = Buffer.from(version.padEnd(32)).toString('hex');
    await addRelease(database, {version, bytes: 10, sha256, sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00='}, now);
  }
});
after(async () => {
  await store.close();
  await rm(folder, {recursive: true});
});

/** A server that was just started, as far as channels go. */
function start(): (path: string, headers?: Record<string, string>) => Promise<ServerAnswer> {
  const routes = hubChannelRoutes({
    ...{database: store.database, hub: {revision: () => revision}, keys: [CHANNEL_KEY.privateKey]},
    ...{settings: {lifetimeMs: 7 * DAY_MS, refreshMs: DAY_MS}, now: () => now, onLine: () => undefined},
  });
  const route = createRouter(routes, 'nothing');
  return (path, headers = {}) => route({method: 'GET', path, headers} as unknown as ServerRequest);
}

function read({status, body}: ServerAnswer, name: string): OpenedChannel {
  assert.equal(status, 200);
  return openChannel(body as Uint8Array, [CHANNEL_KEY.publicKey], name);
}

async function promote(version: string, allowDowngrade = false): Promise<void> {
  const promotion = {channel: 'stable', version, allowDowngrade, at: now, by: 't'};
  await promoteChannel(store.database, promotion);
  revision += 1;
}

describe('the signed channels of a release server', () => {
  it('are had by the name of the channel, or by name or id of a group', async () => {
    await promote('1.1.0');
    const get = start();
    const {document} = read(await get('/channels/stable.json'), 'stable');
    assert.deepEqual([document.version, document.groups[0]?.pin], ['1.1.0', '1.0.0']);
    assert.deepEqual(
      document.releases.map(({version}) => version),
      ['1.1.0', '1.0.0'],
    );
    for (const name of ['edge', 'EDGE', '11111111-2222-4333-8444-555555555555'])
      assert.equal(read(await get(`/channels/${name}.json`), name).document.serial, document.serial);
    for (const path of ['/channels/alpha.json', '/channels/..json', '/channels/a/b.json'])
      assert.equal((await get(path)).status, 404);
  });

  it('change with a promotion and with time, are kept, and are not sent twice', async () => {
    const get = start();
    const first = await get('/channels/stable.json');
    const {etag = ''} = first.headers as {etag?: string};
    assert.equal((await get('/channels/stable.json', {'if-none-match': etag})).status, 304);
    const before = read(first, 'stable').document;
    await promote('1.2.0');
    const next = await get('/channels/stable.json');
    assert.ok(read(next, 'stable').document.serial > before.serial);
    assert.deepEqual(await storedChannels(store.database).read('stable'), next.body);
    assert.deepEqual((await start()('/channels/stable.json')).body, next.body);
    now += DAY_MS;
    assert.equal(read(await get('/channels/stable.json'), 'stable').document.issued, now);
    // A clock that was set back changes nothing that hosts have seen.
    now -= 3 * DAY_MS;
    await promote('1.1.0', true);
    const back = read(await start()('/channels/stable.json'), 'stable').document;
    assert.deepEqual([back.version, back.retreat, back.issued], ['1.1.0', back.serial, ISSUED + DAY_MS]);
  });
});

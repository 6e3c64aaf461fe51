/** `caisson server` whose PostgreSQL goes away and comes back, with another server waiting for its place. */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {openStore} from '../../server/store/store.ts';
import {EVENTS, tellServer} from '../support/fleet-client.ts';
import {type TestPostgres, startPostgres} from '../support/postgres.ts';
import {addRelease, samplePayload} from '../support/release-folder.ts';
import {type ServerProcess, startServerProcess} from '../support/server-process.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
let dir = '';
let databaseUrl = '';
let postgres: TestPostgres;
let server: ServerProcess;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'away-'));
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('away');
  await addRelease(dir, '1.1.0', samplePayload('1.1.0'));
  server = await startServerProcess({dir, databaseUrl});
  await server.call('PUT', 'groups/stable', {channel: 'stable', policy: {pace: 'at once'}});
  const [status, answer] = await server.call('PUT', 'channels/stable', {version: '1.1.0'});
  assert.equal(status, 200, JSON.stringify(answer));
});
after(async () => {
  await server.stop('SIGKILL');
  await postgres.stop();
  await rm(dir, {recursive: true, force: true});
});

const offered = async (id: string): Promise<string | number | null> => {
  const told = await tellServer(server.url, id);
  return typeof told === 'number' ? told : (told.updateCheck?.manifest?.version ?? null);
};
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(100);
}

describe('a database that goes away', () => {
  it('makes the server say so, and go on where it was when it is back', async () => {
    assert.equal(await offered('before'), '1.1.0');
    await postgres.halt();
    assert.equal(await offered('without'), 500);
    assert.equal(await tellServer(server.url, 'before', {events: [EVENTS.installed], asks: false}), 500);
    const [status, answer] = await server.call('POST', 'groups/stable/pause', {reason: 'x'});
    assert.deepEqual([status, typeof (answer as {error?: unknown}).error], [503, 'string']);
    assert.match(server.lines.join('\n'), /the database (went away|cannot be reached)/);
    await postgres.resume();
    await until(async () => (await offered('without')) === '1.1.0');
    const told = await tellServer(server.url, 'before', {events: [EVENTS.installed], asks: false});
    assert.ok(typeof told !== 'number');
  });

  it('is still led by one server only', async () => {
    await postgres.halt();
    assert.equal(await offered('without-database'), 500);
    await postgres.resume();
    await until(async () => (await offered('with-it')) !== 500);
    const {signal} = new AbortController();
    const other = openStore({kind: 'postgres', url: databaseUrl}, {now: 0, onLost: () => undefined, signal});
    await assert.rejects(other, /another caisson server has this database/);
  });

  it('makes the server end when another one has taken it meanwhile', async () => {
    await postgres.halt();
    assert.equal(await offered('lost'), 500);
    await postgres.resume();
    const {signal} = new AbortController();
    const other = await openStore(
      {kind: 'postgres', url: databaseUrl},
      {now: 0, onLost: () => undefined, signal},
    );
    void tellServer(server.url, 'too-late').catch(() => undefined);
    const {exitCode, stderr} = await server.process.ended;
    assert.equal(exitCode, 1);
    assert.match(stderr, /another caisson server has this database/);
    await other.close();
  });
});

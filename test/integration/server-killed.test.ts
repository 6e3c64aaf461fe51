/**
 * `kill -9` at any moment under load: whatever was answered is there afterwards, be it a grant, an event, a pause or a
 * promotion. KILLS=50 does it more often.
 */
import assert from 'node:assert/strict';
import {randomInt} from 'node:crypto';
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
import {placeOf} from '../support/store-samples.ts';

for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) delete process.env[name];
const KILLS = Number(process.env['KILLS'] ?? 3);
const HOSTS = 12;
const VERSIONS = ['1.1.0', '1.2.0'] as const;
const HALT = {failed: null, rolledBack: null, lost: null, together: null};

/** What the server said, and what it may have done without saying so. */
interface Told {
  readonly granted: Set<string>;
  readonly downloading: Set<string>;
  beta: readonly string[];
  paused: readonly boolean[];
}

function survives(kind: string, newDatabase: () => Promise<string | undefined>): void {
  describe(`over ${kind}`, () => {
    let dir = '';
    let databaseUrl: string | undefined;
    let server: ServerProcess;
    const told: Told = {granted: new Set(), downloading: new Set(), beta: [VERSIONS[0]], paused: [false]};

    const launch = async (): Promise<void> => {
      server = await startServerProcess({dir, ...(databaseUrl === undefined ? {} : {databaseUrl})});
    };
    const call = async (method: string, path: string, body?: unknown): Promise<void> => {
      const [status, answer] = await server.call(method, path, body);
      assert.equal(status, 200, `${path}: ${JSON.stringify(answer)}`);
    };

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'killed-'));
      databaseUrl = await newDatabase();
      for (const version of VERSIONS) await addRelease(dir, version, samplePayload(version));
      await launch();
      await call('PUT', 'channels/alpha', {version: VERSIONS[0]});
      await call('PUT', 'channels/beta', {version: VERSIONS[0]});
      await call('PUT', 'groups/alpha', {channel: 'alpha', policy: {pace: 'at once', halt: HALT}});
    });
    after(async () => {
      await server.stop('SIGKILL');
      await rm(dir, {recursive: true, force: true});
    });

    it('loses nothing that it answered', async () => {
      for (let kill = 0; kill < KILLS; kill += 1) {
        const load = new AbortController();
        const {url} = server;
        const working = [
          ...Array.from({length: HOSTS}, (_, index) => askOn(url, `${kill}-${index}`, told, load.signal)),
          steerOn(server, told, load.signal),
        ];
        const ended = Promise.all(working);
        await Promise.race([ended, someMoment(told)]);
        await server.stop('SIGKILL');
        load.abort();
        await ended;
        await launch();
        const [status, answer] = await server.call('GET', 'status');
        assert.equal(status, 200);
        const {channels, groups} = answer as Overview;
        const beta = channels.find(({name}) => name === 'beta')?.version ?? '';
        assert.ok(told.beta.includes(beta), `beta is at ${beta}, and was to be at ${told.beta.join(' or ')}`);
        told.beta = [beta];
        const isPaused = groups.find(({name}) => name === 'stable')?.rollout.state.stopped !== null;
        assert.ok(told.paused.includes(isPaused), `paused: ${isPaused}, after kill ${kill}`);
        told.paused = [isPaused];
      }
      await server.stop('SIGTERM');
      const kept = await readKept(databaseUrl ?? join(dir, 'server'));
      assert.ok(told.granted.size > 0 && told.downloading.size > 0, 'nobody was granted anything');
      assert.deepEqual(
        [...told.granted].filter((id) => !kept.granted.has(id)),
        [],
      );
      assert.deepEqual(
        [...told.downloading].filter((id) => !kept.downloading.has(id)),
        [],
      );
    });
  });
}

interface Overview {
  readonly channels: readonly {readonly name: string; readonly version: string}[];
  readonly groups: readonly {
    readonly name: string;
    readonly rollout: {readonly state: {readonly stopped: unknown}};
  }[];
}

/** A while after somebody was granted something; a busy machine may take its time until then. */
async function someMoment({granted}: Told): Promise<void> {
  const before = granted.size;
  while (granted.size === before) await sleep(10);
  await sleep(randomInt(1500));
}

/** New machines, one after the other: each asks, is granted the release, and tells that it begins. */
async function askOn(url: string, prefix: string, told: Told, signal: AbortSignal): Promise<void> {
  for (let number = 0; !signal.aborted; number += 1) {
    const id = `${prefix}-${number}`;
    try {
      const answer = await tellServer(url, id, {group: 'alpha'});
      if (typeof answer === 'number') throw new Error(`status ${answer}`);
      assert.equal(answer.updateCheck?.manifest?.version, VERSIONS[0]);
      told.granted.add(id);
      const heard = await tellServer(url, id, {group: 'alpha', events: [EVENTS.downloading], asks: false});
      if (typeof heard !== 'number') told.downloading.add(id);
    } catch (error) {
      // That of a server that was killed.
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
  }
}

/** A person who cannot decide. What is not answered may have been done all the same. */
async function steerOn(server: ServerProcess, told: Told, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn += 1) {
    try {
      const version = VERSIONS[turn % 2] ?? '';
      told.beta = [...told.beta, version];
      const [promoted] = await server.call('PUT', 'channels/beta', {version, allowDowngrade: true});
      if (promoted === 200) told.beta = [version];
      const isPaused = turn % 2 === 0;
      told.paused = [...told.paused, isPaused];
      const [steered] = isPaused
        ? await server.call('POST', 'groups/stable/pause', {reason: `turn ${turn}`})
        : await server.call('POST', 'groups/stable/resume');
      if (steered === 200) told.paused = [isPaused];
    } catch {
      return;
    }
  }
}

async function readKept(place: string): Promise<{granted: Set<string>; downloading: Set<string>}> {
  const {signal} = new AbortController();
  const store = await openStore(placeOf(place), {now: Date.now(), onLost: () => undefined, signal});
  try {
    const grants = await store.database.selectFrom('grants').select('machine_id').execute();
    const events = await store.database
      .selectFrom('events')
      .select('machine_id')
      .where('type', '=', 13)
      .execute();
    const ids = (rows: readonly {machine_id: string}[]): Set<string> =>
      new Set(rows.map(({machine_id}) => machine_id));
    return {granted: ids(grants), downloading: ids(events)};
  } finally {
    await store.close();
  }
}

describe('a server that is killed', () => {
  let postgres: TestPostgres | null = null;
  after(async () => postgres?.stop());
  survives('the embedded database', () => Promise.resolve(undefined));
  survives('PostgreSQL', async () => {
    postgres ??= await startPostgres();
    return postgres.createDatabase('killed');
  });
});

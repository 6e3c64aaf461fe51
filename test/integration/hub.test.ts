/** The groups of a server over a real store, asked in the words of the host's own client. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, describe, it} from 'node:test';
import type {CheckOutcome} from '../../formats/omaha/offer.ts';
import {readOutcome} from '../../formats/omaha/offer.ts';
import {
  CAISSON_APP_ID,
  type OmahaEvent,
  type RequestApp,
  decodeRequest,
  encodeRequest,
} from '../../formats/omaha/request.ts';
import {type ResponseApp, decodeResponse, encodeResponse} from '../../formats/omaha/response.ts';
import {ServerError} from '../../server/errors.ts';
import {type Hub, openHub} from '../../server/hub/hub.ts';
import type {PolicyDocument} from '../../server/rollout/policy.ts';
import {addGroup, setGroupPolicy} from '../../server/store/groups.ts';
import {listEvents, listGrants, loadMachines} from '../../server/store/machines.ts';
import {addChannel, addRelease, promoteChannel} from '../../server/store/releases.ts';
import {type Store, openStore} from '../../server/store/store.ts';
import {requestOf} from '../../update-engine/omaha/request-of.ts';
import {type TestPostgres, startPostgres} from '../support/postgres.ts';
import {placeOf} from '../support/store-samples.ts';

const HOUR = 3_600_000;
const T0 = Date.UTC(2026, 0, 5, 10);
const HOST = {
  version: '1.0.0',
  alephVersion: '',
  group: 'stable',
  machineId: '',
  machineAlias: 'rack 4',
  bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566',
  oem: {id: 'qemu', version: ''},
};
const QUESTION = {by: 'timer', ping: true, updateCheck: {targetVersionPrefix: ''}, events: []} as const;
const INSTALLED: OmahaEvent = {type: 3, result: 1, errorCode: null, previousVersion: null};
/** With the flag that stock clients set for servers of one's own. */
const ROLLED_BACK: OmahaEvent = {type: 3, result: 0, errorCode: 44 + 2 ** 28, previousVersion: null};
const FREE: Partial<PolicyDocument> = {
  pace: 'at once',
  halt: {rolledBack: {machines: 1, share: '0%'}, failed: null, lost: null, together: null},
};
const {signal} = new AbortController();

function holds(kind: string, newPlace: () => Promise<string>): void {
  describe(`a hub over ${kind}`, () => {
    let place: string;
    let store: Store;
    let hub: Hub;
    let group: string;

    async function open(): Promise<void> {
      store = await openStore(placeOf(place), {now: T0, onLost: () => undefined, signal});
      hub = await openHub(store.database, T0);
    }
    async function reopen(): Promise<void> {
      await hub.close();
      await store.close();
      await open();
    }
    async function promote(version: string, channel = group): Promise<void> {
      const sha256 = Buffer.from(version.padEnd(32)).toString('hex');
      const release = {version, bytes: 10, sha256, sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00='};
      await addRelease(store.database, release, T0);
      await promoteChannel(store.database, {channel, version, allowDowngrade: false, at: T0, by: 't'});
      await hub.refresh(T0);
    }
    async function send(changes: Partial<RequestApp>, at = T0): Promise<ResponseApp> {
      const request = requestOf({...HOST, group}, QUESTION);
      const apps = request.apps.map((app) => ({...app, ...changes}));
      const question = decodeRequest(encodeRequest({...request, apps}));
      const answer = await hub.answer(question, ({sha256}) => `http://u.example/${sha256}/`, at);
      const [app] = decodeResponse(encodeResponse(answer)).apps;
      assert.ok(app !== undefined);
      return app;
    }
    const check = async (
      machineId: string,
      changes: Partial<RequestApp> = {},
      at = T0,
    ): Promise<CheckOutcome> =>
      readOutcome({server: '', apps: [await send({machineId, ...changes}, at)]}, CAISSON_APP_ID);
    const offered = async (
      machineId: string,
      changes: Partial<RequestApp> = {},
      at = T0,
    ): Promise<string | null> => (await check(machineId, changes, at)).offer?.version ?? null;
    const tell = (machineId: string, event: OmahaEvent, version = '1.0.0'): Promise<ResponseApp> =>
      send({machineId, version, events: [event], updateCheck: null, ping: false});

    before(async () => {
      place = await newPlace();
      await open();
    });
    after(async () => {
      await hub.close();
      await store.close();
    });
    beforeEach(async () => {
      // Each test has a channel and a group of its own.
      group = `g${randomUUID()}`;
      await addChannel(store.database, group);
      await addGroup(store.database, {id: randomUUID(), name: group, channel: group, document: FREE}, T0);
      await hub.refresh(T0);
    });

    it('offers what the channel points to, and keeps who was granted it', async () => {
      assert.equal(await offered(`a-${group}`), null);
      await promote('1.1.0');
      const {offer} = await check(`a-${group}`);
      assert.equal(offer?.version, '1.1.0');
      assert.match(offer.urls[0] ?? '', /^http:\/\/u\.example\/[0-9a-f]{64}\/update\.payload$/);
      const [grant] = await listGrants(store.database, `a-${group}`, 10);
      assert.deepEqual([grant?.version, grant?.at], ['1.1.0', T0]);
    });

    it('takes groups by name and by id, in braces or not', async () => {
      await promote('1.1.0');
      const [id] = [...(await loadGroupIds(store, group))];
      assert.ok(id !== undefined);
      for (const track of [group.toUpperCase(), id, `{${id}}`])
        assert.equal(await offered('by-id', {track}), '1.1.0');
    });

    it('goes on after a stop where it was: grants, halts and all', async () => {
      await promote('1.1.0');
      const [a, b, c] = [`a-${group}`, `b-${group}`, `c-${group}`] as const;
      assert.equal(await offered(a), '1.1.0');
      await tell(a, INSTALLED);
      await reopen();
      assert.equal(hub.summary(group).counts.installed, 1);
      assert.equal(await offered(b), '1.1.0');
      await tell(a, ROLLED_BACK);
      await reopen();
      assert.equal(await offered(c), null);
      const {updateCheck} = await send({machineId: c});
      assert.equal(updateCheck?.status, 'noupdate');
      assert.equal(updateCheck.hold?.reason, 'halted');
      assert.match(updateCheck.hold.detail, /1 of 1 machines .* went back/);
      await hub.resume(group, T0);
      await reopen();
      assert.equal(await offered(c), '1.1.0');
      assert.deepEqual(
        (await listEvents(store.database, a, 10)).map(({type, result, errorCode}) => [
          type,
          result,
          errorCode,
        ]),
        [
          [3, 0, 44],
          [3, 1, null],
        ],
      );
    });

    it('counts what happens while nobody asks', async () => {
      await promote('1.1.0');
      await offered(`a-${group}`);
      await hub.tick(T0 + 3 * HOUR);
      assert.deepEqual([hub.summary(group).inFlight, hub.summary(group).counts.waiting], [0, 1]);
      await reopen();
      assert.equal(hub.summary(group).counts.waiting, 1);
    });

    it('keeps with a tick who was only seen again, and no event that tells nothing', async () => {
      const [id = ''] = await loadGroupIds(store, group);
      const machineId = `a-${group}`;
      const seenAt = async (): Promise<number | undefined> =>
        (await loadMachines(store.database, id)).find(({member}) => member.id === machineId)?.member
          .lastSeenAt;
      const cameUp = (previousVersion: string): OmahaEvent => ({
        ...{type: 3, result: 2, errorCode: null},
        previousVersion,
      });
      await check(machineId, {events: [cameUp('0.0.0.0')]});
      assert.equal(await seenAt(), T0);
      await check(machineId, {events: [cameUp('')]}, T0 + HOUR);
      assert.equal(await seenAt(), T0);
      await Promise.all([hub.tick(T0 + HOUR), hub.tick(T0 + HOUR)]);
      assert.equal(await seenAt(), T0 + HOUR);
      await check(machineId, {events: [cameUp('0.9.0')]}, T0 + 2 * HOUR);
      assert.deepEqual(
        (await listEvents(store.database, machineId, 9)).map(({previousVersion}) => previousVersion),
        ['0.9.0'],
      );
      await check(machineId, {}, T0 + 3 * HOUR);
      await reopen();
      assert.equal(await seenAt(), T0 + 3 * HOUR);
    });

    it('follows a policy that is changed under way', async () => {
      await promote('1.1.0');
      assert.equal(await offered(`a-${group}`), '1.1.0');
      const [id = ''] = await loadGroupIds(store, group);
      await setGroupPolicy(store.database, id, {...FREE, inFlight: 1});
      await hub.refresh(T0);
      const {updateCheck} = await send({machineId: `b-${group}`});
      assert.deepEqual([updateCheck?.hold?.reason, updateCheck?.hold?.position], ['in-flight', 1]);
    });

    it('pauses and goes on by a word, and lets machines try again', async () => {
      await promote('1.1.0');
      await hub.pause(group, 'audit', T0);
      assert.equal(
        (await send({machineId: `a-${group}`})).updateCheck?.hold?.detail,
        'the rollout is paused: audit',
      );
      await hub.resume(group, T0);
      assert.equal(await offered(`a-${group}`), '1.1.0');
      await tell(`a-${group}`, ROLLED_BACK);
      await hub.resume(group, T0);
      assert.equal((await send({machineId: `a-${group}`})).updateCheck?.hold?.reason, 'out');
      assert.equal(await hub.retry(group, T0), 1);
      assert.equal(await offered(`a-${group}`), '1.1.0');
      await assert.rejects(hub.pause('none', '', T0), (error) => error instanceof ServerError);
    });

    it('lets a machine that changes its group count there only', async () => {
      await promote('1.1.0');
      const machineId = `mover-${group}`;
      await offered(machineId);
      const [other, one] = [`h${randomUUID()}`, group];
      await addGroup(store.database, {id: randomUUID(), name: other, channel: one, document: FREE}, T0);
      await hub.refresh(T0);
      assert.equal(await offered(machineId, {track: other}), '1.1.0');
      assert.deepEqual([hub.summary(one).inFlight, hub.summary(other).inFlight], [0, 1]);
      const [id = ''] = await loadGroupIds(store, one);
      assert.deepEqual(await loadMachines(store.database, id), []);
    });

    it('gives a pinned host the newest of its series that the channel ever had', async () => {
      for (const version of ['1.0.1', '1.1.0', '2.0.0']) await promote(version);
      const pinned = (targetVersionPrefix: string): Partial<RequestApp> => ({
        updateCheck: {targetVersionPrefix},
      });
      assert.equal(await offered('p', pinned('1')), '1.1.0');
      assert.equal(await offered('p', pinned('1.0')), '1.0.1');
      assert.equal(await offered('p', pinned('3')), null);
      assert.equal(await offered('p', pinned('2')), '2.0.0');
    });

    const refused: [string, Partial<RequestApp>, string, string][] = [
      [
        'another app',
        {appId: '{e96281a6-d1af-4bde-9a0a-97b76e56dc57}'},
        'error-unknownApplication',
        'error-internal',
      ],
      ['another group', {track: 'edge'}, 'error-unknownApplicationOrGroup', 'error-internal'],
      ['no version', {version: ''}, 'error-invalidVersion', 'error-internal'],
      ['no machine', {machineId: ''}, 'error-instanceRegistrationFailed', 'error-internal'],
      ['another architecture', {board: 'arm64-usr'}, 'ok', 'error-osnotsupported'],
    ];
    for (const [name, changes, status, checkStatus] of refused)
      it(`refuses ${name}`, async () => {
        const app = await send({machineId: 'x', ...changes});
        assert.deepEqual([app.status, app.updateCheck?.status], [status, checkStatus]);
      });

    it('keeps the words of strangers, whatever they are', async () => {
      const odd = {machineAlias: `ü"'\\${'🚀'.repeat(300)}`, oem: "'); drop table machines; --"};
      const event = {type: 2 ** 40, result: 2 ** 33, errorCode: 2 ** 40, previousVersion: 'x'.repeat(4000)};
      await send({machineId: 'odd', ...odd, events: [event, ROLLED_BACK]});
      const [id = ''] = await loadGroupIds(store, group);
      const [machine] = await loadMachines(store.database, id);
      assert.equal(machine?.facts.oem, odd.oem);
      assert.equal((await listEvents(store.database, 'odd', 10)).length, 1);
    });

    it('answers many at once', async () => {
      await promote('1.1.0');
      const ids = Array.from({length: 300}, (_, index) => `many-${index}-${group}`);
      const versions = await Promise.all(ids.map((machineId) => offered(machineId)));
      assert.deepEqual([...new Set(versions)], ['1.1.0']);
      const [id = ''] = await loadGroupIds(store, group);
      assert.equal((await loadMachines(store.database, id)).length, 300);
    });
  });
}

async function loadGroupIds({database}: Store, name: string): Promise<readonly string[]> {
  const rows = await database.selectFrom('groups').select('id').where('name', '=', name).execute();
  return rows.map(({id}) => id);
}

describe('hubs', () => {
  let folder: string;
  let postgres: TestPostgres;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-'));
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.stop();
    await rm(folder, {recursive: true, force: true});
  });

  holds('the embedded database', () => Promise.resolve(join(folder, 'embedded')));
  holds('PostgreSQL', () => postgres.createDatabase('hub'));
});

/** What people ask of the store: machines by words and pages, timelines, releases with what belongs to them. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {ServerError} from '../../server/errors.ts';
import {addGroup} from '../../server/store/groups.ts';
import {
  ALL_INSTANCES,
  type InstanceQuery,
  deleteInstance,
  findInstance,
  listInstances,
  listTimeline,
} from '../../server/store/instances.ts';
import {pruneHistory} from '../../server/store/history.ts';
import {saveBatch} from '../../server/store/machines.ts';
import {
  addChannel,
  addRelease,
  findRelease,
  listDocuments,
  listReleases,
  promoteChannel,
  readDocument,
  removeRelease,
  setWithdrawn,
} from '../../server/store/releases.ts';
import type {Database} from '../../server/store/sql.ts';
import {type Store, openStore} from '../../server/store/store.ts';
import {type TestPostgres, startPostgres} from '../support/postgres.ts';
import {FACTS, machineOf, placeOf} from '../support/store-samples.ts';

const NOW = 1_767_000_000_123;
const {signal} = new AbortController();
const release = (version: string, bytes = 10): Parameters<typeof addRelease>[1] => ({
  version,
  bytes,
  sha256: Buffer.from(`${version} ${bytes}`.padEnd(32)).toString('hex'),
  sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00=',
});
const codeOf = (code: string) => (error: unknown) => error instanceof ServerError && error.code === code;

function holds(kind: string, place: () => Promise<string>): void {
  describe(`questions to a store ${kind}`, () => {
    let store: Store;
    let database: Database;
    const [one, other] = [randomUUID(), randomUUID()];
    before(async () => {
      store = await openStore(placeOf(await place()), {now: NOW, onLost: () => undefined, signal});
      ({database} = store);
      await addChannel(database, 'stable');
      await addGroup(database, {id: one, name: 'one', channel: 'stable', document: {}}, NOW);
      await addGroup(database, {id: other, name: 'other', channel: 'stable', document: {}}, NOW);
      const machines = Array.from({length: 25}, (_, index) =>
        machineOf(one, {id: `m-${String(index).padStart(2, '0')}`, lastSeenAt: NOW + index}),
      );
      const odd = machineOf(other, {
        ...{id: 'x%_1', version: '2.0.0', progress: {kind: 'out' as const, why: 'rolled-back' as const}},
      });
      await saveBatch(database, {
        machines: [...machines, {...odd, facts: {...FACTS, alias: 'Küche'}}],
        events: [3, 13, 14].map((type, index) => ({
          ...{at: NOW + index, machineId: 'm-00', groupId: one, version: '1.0.0', type, result: 1},
          ...{errorCode: null, previousVersion: null},
        })),
        grants: [{at: NOW, machineId: 'm-00', groupId: one, version: '1.1.0'}],
        states: new Map(),
      });
    });
    after(() => store.close());

    const found = async (query: Partial<InstanceQuery>): Promise<readonly string[]> =>
      (await listInstances(database, {...ALL_INSTANCES, ...query}, 100)).instances.map(
        ({member}) => member.id,
      );

    it('finds machines by words, group, progress, version and silence', async () => {
      assert.deepEqual(await found({search: 'KüCHE'}), ['x%_1']);
      assert.deepEqual(await found({search: '%_'}), ['x%_1']);
      assert.deepEqual(await found({search: 'M-1', group: 'other'}), []);
      assert.equal((await found({search: 'M-1'})).length, 10);
      assert.deepEqual(await found({group: 'other'}), ['x%_1']);
      assert.deepEqual(await found({progress: 'rolled-back'}), ['x%_1']);
      assert.deepEqual(await found({version: '2.0.0'}), ['x%_1']);
      assert.equal((await found({silentSince: NOW + 3})).length, 4);
    });

    it('gives each machine once over all pages', async () => {
      const seen: string[] = [];
      for (let next: string | null = ''; next !== null;) {
        const page = await listInstances(database, {...ALL_INSTANCES, after: next}, 7);
        assert.equal(page.total, 26);
        seen.push(...page.instances.map(({member}) => member.id));
        next = page.next;
      }
      assert.equal(new Set(seen).size, 26);
      assert.equal(seen.length, 26);
    });

    it('tells what became of one, newest first', async () => {
      const timeline = await listTimeline(database, 'm-00', {limit: 10, offset: 0});
      assert.deepEqual(
        timeline.map((entry) => (entry.kind === 'grant' ? entry.version : entry.type)),
        [14, 13, '1.1.0', 3],
      );
      const rest = await listTimeline(database, 'm-00', {limit: 1, offset: 2});
      assert.deepEqual(rest, [{kind: 'grant', at: NOW, machineId: 'm-00', groupId: one, version: '1.1.0'}]);
      assert.equal((await findInstance(database, 'm-00'))?.groupName, 'one');
      assert.equal(await deleteInstance(database, 'm-00'), true);
      assert.equal(await deleteInstance(database, 'm-00'), false);
      assert.equal(await findInstance(database, 'm-00'), null);
      assert.deepEqual(await listTimeline(database, 'm-00', {limit: 10, offset: 0}), []);
    });

    it('takes old events and grants away, all of them, and no others', async () => {
      const events = Array.from({length: 1200}, (_, index) => ({
        ...{at: NOW - 10_000 + index, machineId: 'm-01', groupId: one, version: '1.0.0', type: 3, result: 2},
        ...{errorCode: null, previousVersion: null},
      }));
      const grants = [1, 20_000].map((age) => ({
        at: NOW - age,
        machineId: 'm-01',
        groupId: one,
        version: '2.0.0',
      }));
      await saveBatch(database, {machines: [], events, grants, states: new Map()});
      assert.equal(await pruneHistory(database, NOW - 9000), 1001);
      assert.equal(await pruneHistory(database, NOW - 9000), 0);
      assert.equal((await listTimeline(database, 'm-01', {limit: 1000, offset: 0})).length, 201);
    });

    it('keeps what belongs to a release', async () => {
      const publication = {by: 'ci', signedBy: 'update', documents: {notes: 'Ü', sbom: '{}'}};
      await addRelease(database, release('1.0.0'), NOW);
      await addRelease(database, release('1.0.0'), NOW + 1, publication);
      const known = await findRelease(database, '1.0.0');
      assert.deepEqual([known?.publishedAt, known?.publishedBy, known?.signedBy], [NOW, 'ci', 'update']);
      assert.deepEqual(await listDocuments(database, '1.0.0'), [
        {name: 'notes', bytes: 2},
        {name: 'sbom', bytes: 2},
      ]);
      assert.equal(await readDocument(database, '1.0.0', 'notes'), 'Ü');
      assert.equal(await readDocument(database, '1.0.0', 'manifest'), null);
      await assert.rejects(addRelease(database, release('1.0.0', 11), NOW), codeOf('other-bytes'));
      const same = {...release('1.0.0'), version: '1.0.1'};
      await assert.rejects(addRelease(database, same, NOW), codeOf('other-bytes'));
    });

    it('withdraws a release, and removes one that nothing points to, but for its hash', async () => {
      await addRelease(database, release('3.0.0'), NOW);
      const promotion = {channel: 'stable', version: '3.0.0', allowDowngrade: false, at: NOW, by: 't'};
      await promoteChannel(database, promotion);
      await assert.rejects(removeRelease(database, '3.0.0', NOW), codeOf('in-use'));
      assert.equal(await setWithdrawn(database, '3.0.0', 'does not boot'), true);
      assert.equal(await setWithdrawn(database, '3.0.0', 'does not boot on Tuesdays'), false);
      assert.equal((await findRelease(database, '3.0.0'))?.withdrawnWhy, 'does not boot on Tuesdays');
      assert.equal(await setWithdrawn(database, '3.0.0', null), true);
      await addRelease(database, release('3.1.0'), NOW);
      await promoteChannel(database, {...promotion, version: '3.1.0'});
      assert.equal((await removeRelease(database, '3.0.0', NOW)).sha256, release('3.0.0').sha256);
      await assert.rejects(removeRelease(database, '3.0.0', NOW), codeOf('no-release'));
      await assert.rejects(promoteChannel(database, promotion), codeOf('no-release'));
      const versions = async (): Promise<readonly string[]> =>
        (await listReleases(database)).map(({version}) => version);
      assert.equal((await versions()).includes('3.0.0'), false);
      await assert.rejects(addRelease(database, release('3.0.0', 99), NOW), codeOf('other-bytes'));
      await addRelease(database, release('3.0.0'), NOW);
      assert.equal((await versions()).includes('3.0.0'), true);
    });
  });
}

describe('questions', () => {
  let folder: string;
  let postgres: TestPostgres;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'questions-'));
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.stop();
    await rm(folder, {recursive: true, force: true});
  });

  holds('that is embedded', () => Promise.resolve(join(folder, 'embedded')));
  holds('of PostgreSQL', () => postgres.createDatabase('questions'));
});

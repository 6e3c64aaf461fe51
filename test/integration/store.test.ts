/** The store of the release server: one set of tests, held against the embedded database and a real PostgreSQL. */
import assert from 'node:assert/strict';
import {randomBytes, randomUUID} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {after, before, describe, it} from 'node:test';
import {pathExists} from '../../platform/files.ts';
import {start} from '../../platform/exec.ts';
import {DatabaseError} from '../../platform/sql-pool.ts';
import {ServerError} from '../../server/errors.ts';
import {beginRollout} from '../../server/rollout/state.ts';
import {addGroup, listGroups, setGroupPolicy} from '../../server/store/groups.ts';
import {type Batch, listEvents, listGrants, loadMachines, saveBatch} from '../../server/store/machines.ts';
import {
  addChannel,
  addRelease,
  listChannels,
  listPromotions,
  listReleases,
  promoteChannel,
} from '../../server/store/releases.ts';
import {type Database, migrate, sql} from '../../server/store/sql.ts';
import {type Store, openStore} from '../../server/store/store.ts';
import {addToken, findToken, listTokens, mayActAs, revokeToken} from '../../server/store/tokens.ts';
import {type TestPostgres, startPostgres} from '../support/postgres.ts';
import {fc} from '../support/property.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {BATCH_MACHINES, FACTS, anyMember, batchOf, machineOf, placeOf} from '../support/store-samples.ts';

const NOW = 1_767_000_000_123;
const NOTHING: Batch = {machines: [], events: [], grants: [], states: new Map()};
const {signal} = new AbortController();
const release = (version: string): Parameters<typeof addRelease>[1] => ({
  version,
  bytes: 5_000_000_000,
  sha256: Buffer.from(version.padEnd(32)).toString('hex'),
  sha1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00=',
});
const codeOf = (code: string) => (error: unknown) =>
  (error instanceof ServerError || error instanceof DatabaseError) && error.code === code;

const openAt = (place: string): Promise<Store> =>
  openStore(placeOf(place), {now: NOW, onLost: () => undefined, signal});

async function newGroup(database: Database): Promise<string> {
  const id = randomUUID();
  await addChannel(database, 'stable');
  await addGroup(database, {id, name: `g-${id}`, channel: 'stable', document: {pace: 'at once'}}, NOW);
  return id;
}

/** The tests of one kind of store; `place` gives a new, empty one. */
function holds(kind: string, place: () => Promise<string>): void {
  describe(`a store ${kind}`, () => {
    let where: string;
    let store: Store;
    let database: Database;
    before(async () => {
      where = await place();
      store = await openAt(where);
      ({database} = store);
    });
    after(() => store.close());

    it('is taken through all steps once', async () => {
      assert.deepEqual(store.migrated, [1]);
      assert.deepEqual(await migrate(database, NOW), []);
    });

    it('refuses what a later version of this program has changed', async () => {
      const later = {number: 2, name: 'later', statements: ['create table later (id text)']};
      await database
        .transaction()
        .execute(async (transaction) => {
          await assert.rejects(migrate(transaction, NOW, []), codeOf('unknown-content'));
          throw new Error('undo');
        })
        .catch(() => undefined);
      // A step that breaks leaves nothing behind.
      const broken = {...later, statements: [...later.statements, 'create tabel']};
      await assert.rejects(migrate(database, NOW, [broken]));
      const {rows} = await sql`select to_regclass('later') as found`.execute(database);
      assert.deepEqual(rows, [{found: null}]);
    });

    it('keeps releases as they were published, and sizes beyond 32 bits', async () => {
      for (const version of ['1.9.0', '1.10.0']) await addRelease(database, release(version), NOW);
      await addRelease(database, release('1.9.0'), NOW + 1);
      const other = {...release('1.9.0'), sha256: 'ab'.repeat(32)};
      await assert.rejects(addRelease(database, other, NOW), codeOf('other-bytes'));
      const [newest, ...rest] = await listReleases(database);
      assert.deepEqual(newest, {
        ...release('1.10.0'),
        publishedAt: NOW,
        publishedBy: '',
        signedBy: '',
        isWithdrawn: false,
        withdrawnWhy: '',
      });
      assert.equal(rest.length, 1);
    });

    it('points channels forward, and back only when that is meant', async () => {
      for (const version of ['2.0.0', '2.1.0']) await addRelease(database, release(version), NOW);
      await addChannel(database, 'beta');
      const to = (version: string, allowDowngrade = false): Promise<void> =>
        promoteChannel(database, {channel: 'beta', version, allowDowngrade, at: NOW, by: 'ann'});
      await to('2.1.0');
      await assert.rejects(to('2.0.0'), codeOf('older'));
      await assert.rejects(to('3.0.0'), codeOf('no-release'));
      await assert.rejects(
        promoteChannel(database, {channel: 'x', version: '2.0.0', allowDowngrade: false, at: NOW, by: ''}),
        codeOf('no-channel'),
      );
      await to('2.0.0', true);
      const channel = (await listChannels(database)).find(({name}) => name === 'beta');
      assert.deepEqual(channel, {name: 'beta', version: '2.0.0', allowDowngrade: true, promotedAt: NOW});
      const past = await listPromotions(database, 'beta', 10);
      assert.deepEqual(
        past.map(({version, by}) => `${version} ${by}`),
        ['2.0.0 ann', '2.1.0 ann'],
      );
    });

    it('keeps groups with their policy as it was written, and how far they are', async () => {
      const id = await newGroup(database);
      await assert.rejects(
        addGroup(database, {id: randomUUID(), name: `g-${id}`, channel: 'stable', document: {}}, NOW),
        codeOf('exists'),
      );
      await assert.rejects(
        addGroup(database, {id: randomUUID(), name: 'y', channel: 'none', document: {}}, NOW),
        codeOf('no-channel'),
      );
      await assert.rejects(setGroupPolicy(database, id, {pace: 'soon'}), codeOf('bad-policy'));
      await assert.rejects(setGroupPolicy(database, randomUUID(), {}), codeOf('no-group'));
      await setGroupPolicy(database, id, {inFlight: 3});
      const stopped = {kind: 'halted', at: NOW, reason: '1 of 2'} as const;
      const state = {
        ...beginRollout({version: '2.0.0', allowDowngrade: false}, NOW),
        stopped,
        canariesGoodAt: 5,
      };
      await saveBatch(database, {...NOTHING, states: new Map([[id, state]])});
      const group = (await listGroups(database)).find((each) => each.id === id);
      assert.deepEqual([group?.document, group?.policy.maxInFlight, group?.state], [{inFlight: 3}, 3, state]);
    });

    it('gives machines back as they were', async () => {
      const id = await newGroup(database);
      const members = fc.tuple(...Array.from({length: 25}, (_, index) => anyMember(`any-${index}`)));
      await fc.assert(
        fc.asyncProperty(members, async (wanted) => {
          const machines = wanted.map((member) => machineOf(id, member));
          await saveBatch(database, {...NOTHING, machines});
          const found = await loadMachines(database, id);
          assert.deepEqual(
            [...found].sort((a, b) => a.member.id.localeCompare(b.member.id)),
            machines.sort((a, b) => a.member.id.localeCompare(b.member.id)),
          );
        }),
        {numRuns: 10},
      );
    });

    it('moves a machine to the group that it follows now, and keeps when it was first seen', async () => {
      const [one, two] = [await newGroup(database), await newGroup(database)];
      await saveBatch(database, {...NOTHING, machines: [machineOf(one, {id: 'mover'})]});
      const moved = machineOf(two, {id: 'mover'});
      const facts = {...FACTS, alias: 'elsewhere', firstSeenAt: NOW};
      await saveBatch(database, {...NOTHING, machines: [{...moved, facts}]});
      assert.deepEqual(await loadMachines(database, one), []);
      const [machine] = await loadMachines(database, two);
      assert.deepEqual(machine?.facts, {...facts, firstSeenAt: FACTS.firstSeenAt});
    });

    it('keeps all of a batch or nothing', async () => {
      const id = await newGroup(database);
      const machines = [machineOf(id, {id: 'half'})];
      const events = [{...batchOf(id, 1).events[0], type: 2 ** 40}] as Batch['events'];
      await assert.rejects(saveBatch(database, {...NOTHING, machines, events}));
      assert.deepEqual(await loadMachines(database, id), []);
      const nobodys = {...NOTHING, machines: [machineOf(randomUUID(), {id: 'nobodys'})]};
      await assert.rejects(saveBatch(database, nobodys));
    });

    it('lists what a machine told and was granted, newest first', async () => {
      const id = await newGroup(database);
      const event = {
        at: NOW,
        machineId: 'teller',
        groupId: id,
        version: '1.0.0',
        type: 3,
        result: 0,
        errorCode: 2 ** 32 + 44,
        previousVersion: null,
      };
      const grant = {at: NOW, machineId: 'teller', groupId: id, version: '2.0.0'};
      const later = {...event, at: NOW + 1, errorCode: null, previousVersion: ''};
      await saveBatch(database, {...NOTHING, events: [event, later], grants: [grant]});
      assert.deepEqual(await listEvents(database, 'teller', 10), [later, event]);
      assert.deepEqual(await listEvents(database, 'teller', 1), [later]);
      assert.deepEqual(await listGrants(database, 'teller', 10), [grant]);
    });

    it('knows tokens by their hash only', async () => {
      const chance = {random: randomBytes, now: NOW};
      const token = await addToken(database, {name: 'ci', role: 'publish'}, chance);
      await assert.rejects(addToken(database, {name: 'ci', role: 'read'}, chance), codeOf('exists'));
      assert.equal((await findToken(database, token))?.name, 'ci');
      const other = `${token.slice(0, -1)}${token.endsWith('A') ? 'E' : 'A'}`;
      for (const wrong of ['', 'x', `${token}x`, token.slice(0, -1), other])
        assert.equal(await findToken(database, wrong), null);
      const {rows} = await sql<object>`select * from tokens`.execute(database);
      assert.ok(!JSON.stringify(rows).includes(token.split('_')[2] ?? '-'));
      assert.deepEqual([mayActAs('publish', 'read'), mayActAs('publish', 'admin')], [true, false]);
      assert.equal(await revokeToken(database, 'ci', NOW + 1), true);
      assert.equal(await revokeToken(database, 'ci', NOW + 2), false);
      assert.equal(await findToken(database, token), null);
      assert.deepEqual(
        (await listTokens(database)).map(({revokedAt}) => revokedAt),
        [NOW + 1],
      );
    });

    it('belongs to one server at a time', async () => {
      const place = placeOf(where);
      const impatient = AbortSignal.timeout(200);
      await assert.rejects(openStore(place, {now: NOW, onLost: () => undefined, signal: impatient}), {
        name: 'AbortError',
      });
      // The one that has it goes on.
      await listChannels(database);
    });
  });

  describe(`a store ${kind} whose process is killed`, () => {
    it('has every batch that was kept, and half of none', async () => {
      const where = await place();
      let store = await openAt(where);
      const id = await newGroup(store.database);
      await store.close();
      for (const kills of [3, 12]) {
        const kept = await writeUntilKilled(where, id, kills);
        store = await openAt(where);
        const machines = await loadMachines(store.database, id);
        const numbers = [...new Set(machines.map(({member}) => member.setbacks))];
        const [number = 0, ...others] = numbers;
        assert.deepEqual([machines.length, others], [BATCH_MACHINES, []]);
        // The last one may have been kept without a word.
        assert.ok(number === kept || number === kept + 1, `${kept} were kept, ${number} are there`);
        const {rows} = await sql<{count: number}>`
          select count(*) as count from events where at = ${number} and group_id = ${id}`.execute(
          store.database,
        );
        assert.ok((rows[0]?.count ?? 0) >= BATCH_MACHINES);
        await store.close();
      }
    });
  });
}

/** Gives the number of the last batch that the writer called kept. */
async function writeUntilKilled(where: string, groupId: string, count: number): Promise<number> {
  const writer = start([
    process.execPath,
    '--import',
    join(ROOT_DIR, 'node_modules/tsx/dist/loader.mjs'),
    join(ROOT_DIR, 'test/support/store-writer.ts'),
    where,
    groupId,
  ]);
  let kept = 0;
  const lines = createInterface({input: writer.stdout});
  lines.on('line', (line) => {
    kept = Number(/^kept (\d+)$/.exec(line)?.[1] ?? kept);
    if (kept === count) writer.kill('SIGKILL');
  });
  const allRead = new Promise<void>((resolve) => void lines.once('close', resolve));
  const {stderr} = await writer.ended;
  await allRead;
  assert.ok(kept >= count, stderr);
  return kept;
}

describe('stores', () => {
  let folder: string;
  let postgres: TestPostgres;
  let made = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'store-'));
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.stop();
    await rm(folder, {recursive: true, force: true});
  });

  holds('in this process', () => Promise.resolve(join(folder, `embedded-${(made += 1)}`)));
  holds('in PostgreSQL', () => postgres.createDatabase(`store_${(made += 1)}`));

  it('that cannot be reached say so, without the password', async () => {
    const place = {
      kind: 'postgres',
      url: `postgres://u:secret@/x?host=${encodeURIComponent(folder)}`,
    } as const;
    await assert.rejects(
      openStore(place, {now: NOW, onLost: () => undefined, signal}),
      (error) =>
        error instanceof DatabaseError && error.code === 'unreachable' && !error.message.includes('secret'),
    );
    assert.equal(await pathExists(join(folder, '.lock')), false);
  });
});

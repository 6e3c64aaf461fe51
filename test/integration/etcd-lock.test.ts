/** The reboot lock on a real etcd: what it does when all is well, and what lies there that it must not touch. */
import assert from 'node:assert/strict';
import {setMaxListeners} from 'node:events';
import {after, before, describe, it} from 'node:test';
import {type EtcdKeeper, openEtcdKeeper, openEtcdLock} from '../../coordination/etcd-lock.ts';
import {semaphoreKey, waitingPrefix} from '../../formats/semaphore/keys.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {keeperOptions, refusesLock} from '../support/etcd-lock.ts';

const never = new AbortController().signal;
// Two hundred pauses hang on it at once.
setMaxListeners(0, never);
const ASK = {reason: 'update', version: '1.2.3'};

describe('the lock in etcd', () => {
  let etcd: EtcdCluster;
  let keeper: EtcdKeeper;
  before(async () => {
    etcd = await startEtcd();
    keeper = openEtcdKeeper(keeperOptions(etcd));
  });
  after(async () => {
    await keeper.close();
    await etcd.stop();
  });

  const stored = async (group: string): Promise<string> =>
    (await etcd.etcdctl('get', '--print-value-only', semaphoreKey(group))).trimEnd();

  it('is granted, full, given back, and granted to the next', async () => {
    const group = keeper.group('simple');
    assert.equal((await group.acquire('a', ASK, never)).kind, 'held');
    assert.equal((await group.acquire('a', ASK, never)).kind, 'held');
    const second = await group.acquire('b', ASK, never);
    assert.ok(second.kind === 'full');
    assert.deepEqual([second.max, second.position, second.waiting], [1, 1, 1]);
    assert.deepEqual(
      second.holders.map(({id, reason, version}) => [id, reason, version]),
      [['a', 'update', '1.2.3']],
    );
    assert.equal(await group.release('a', never), 'released');
    assert.equal(await group.release('a', never), 'not-held');
    assert.equal((await group.acquire('b', ASK, never)).kind, 'held');
    const view = await group.view(never);
    assert.deepEqual([view.available, view.holders.map(({id}) => id), view.waiting], [0, ['b'], []]);
    const document = JSON.parse(await stored('simple')) as Record<string, unknown>;
    assert.deepEqual([document['semaphore'], document['max'], document['holders']], [0, 1, ['b']]);
  });

  it('is kept with another reason by a host of its own', async () => {
    const lock = openEtcdLock({...keeperOptions(etcd, {group: 'kept'}), id: 'host'});
    assert.match(lock.where, /^etcd at http:.*, group kept$/);
    assert.equal(await lock.keep(ASK, never), 'not-held');
    const held = await lock.acquire(ASK, never);
    assert.equal(await lock.keep({reason: 'came back from 1.2.3', version: '1.2.3'}, never), 'kept');
    const [holder] = (await keeper.group('kept').view(never)).holders;
    assert.ok(held.kind === 'held');
    assert.deepEqual(holder, {
      id: 'host',
      since: held.since,
      reason: 'came back from 1.2.3',
      version: '1.2.3',
      isKept: true,
    });
    assert.equal(await lock.release(never), 'released');
    await lock.close();
  });

  it('counts each group by itself, and lists those there are', async () => {
    await keeper.group('').acquire('a', ASK, never);
    await keeper.group('eins/zwei ü').acquire('b', ASK, never);
    const groups = await keeper.listGroups(never);
    assert.ok(groups.includes('') && groups.includes('eins/zwei ü'), groups.join());
    assert.ok(!groups.some((name) => name.includes('waiting')));
    const key = 'coreos.com/updateengine/rebootlock/groups/eins%2Fzwei+%C3%BC/semaphore';
    assert.match(await etcd.etcdctl('get', '--print-value-only', key), /"holders":\["b"\]/);
  });

  it('tells who waits, in the order in which they came', async () => {
    const group = keeper.group('queue');
    await group.acquire('first', ASK, never);
    const positions: unknown[] = [];
    for (const id of ['z', 'y', 'x', 'z', 'y']) {
      const answer = await group.acquire(id, ASK, never);
      positions.push(answer.kind === 'full' && [id, answer.position, answer.waiting]);
    }
    assert.deepEqual(positions, [
      ['z', 1, 1],
      ['y', 2, 2],
      ['x', 3, 3],
      ['z', 1, 3],
      ['y', 2, 3],
    ]);
    // A host that no longer wants to restart leaves the list as well.
    assert.equal(await group.release('z', never), 'not-held');
    const {waiting, waitingTotal} = await group.view(never);
    assert.deepEqual(
      waiting.map(({id, position, reason}) => [id, position, reason]),
      [
        ['y', 1, 'update'],
        ['x', 2, 'update'],
      ],
    );
    assert.equal(waitingTotal, 2);
    const leases = await etcd.etcdctl('get', '--prefix', waitingPrefix('queue'), '-w', 'json');
    assert.equal(leases.match(/"lease":\d+/g)?.length, 2);
  });

  it('forgets who stopped asking', async () => {
    const short = openEtcdKeeper(keeperOptions(etcd, {}, {waitingSeconds: 1}));
    const group = short.group('impatient');
    await group.acquire('holder', ASK, never);
    await group.acquire('gone', ASK, never);
    const deadline = AbortSignal.timeout(30_000);
    while ((await group.view(deadline)).waiting.length > 0);
    const back = await group.acquire('gone', ASK, never);
    assert.ok(back.kind === 'full' && back.position === 1);
    await short.close();
  });

  it('has as many slots as an operator says, also fewer than there are holders', async () => {
    const group = keeper.group('max');
    assert.deepEqual(await group.setMax(3, never), {oldMax: 1, max: 3});
    for (const id of ['a', 'b', 'c']) assert.equal((await group.acquire(id, ASK, never)).kind, 'held');
    assert.deepEqual(await group.setMax(1, never), {oldMax: 3, max: 1});
    assert.equal((await group.view(never)).available, -2);
    assert.equal((JSON.parse(await stored('max')) as {semaphore: number}).semaphore, -2);
    await group.release('a', never);
    assert.equal((await group.acquire('d', ASK, never)).kind, 'full');
    await refusesLock('refused', /-1 cannot be the number of slots/, group.setMax(-1, never));
  });

  it('takes an expired slot away by the next that asks, and says whose it was', async () => {
    const expired: string[] = [];
    let now = Date.now();
    const timed = openEtcdKeeper(
      keeperOptions(
        etcd,
        {},
        {now: () => now, onExpired: ({id}, group) => expired.push(`${id} of ${group}`)},
      ),
    );
    const group = timed.group('expiry');
    await group.acquire('vanished', ASK, never);
    assert.deepEqual(await group.setExpiry(3600, never), {oldSeconds: null});
    now += 3_599_000;
    assert.equal((await group.acquire('next', ASK, never)).kind, 'full');
    now += 2000;
    assert.equal((await group.acquire('next', ASK, never)).kind, 'held');
    assert.deepEqual(expired, ['vanished of expiry']);
    assert.deepEqual(
      (await group.view(never)).holders.map(({id}) => id),
      ['next'],
    );
    await timed.close();
  });

  it('lets exactly as many in as there are slots when two hundred come at once', async () => {
    let races = 0;
    const crowd = openEtcdKeeper(keeperOptions(etcd, {}, {onLostRace: () => (races += 1)}));
    const group = crowd.group('crowd');
    await group.setMax(5, never);
    const ids = Array.from({length: 200}, (_, index) => `host-${String(index).padStart(3, '0')}`);
    const answers = await Promise.all(ids.map((id) => group.acquire(id, ASK, never)));
    const held = ids.filter((_, index) => answers[index]?.kind === 'held');
    assert.equal(held.length, 5);
    const view = await group.view(never);
    assert.deepEqual(
      view.holders.map(({id}) => id),
      held,
    );
    assert.deepEqual(
      view.waiting.map(({id}) => id).sort(),
      ids.filter((id) => !held.includes(id)),
    );
    assert.ok(races > 0, 'nobody lost a race: they did not come at once');
    await crowd.close();
  });

  it('gives up with a name when others always write first', async () => {
    // The pause between reading and writing is where the other one writes.
    let others = 0;
    const slow = openEtcdKeeper(
      keeperOptions(
        etcd,
        {},
        {
          onLostRace: () => (others += 1),
          createHttp: (options) => {
            const http = keeperOptions(etcd).createHttp(options);
            return {
              ...http,
              exchange: async (url, request) => {
                if (url.endsWith('/kv/txn')) await keeper.group('busy').setMax(10 + (others % 2), never);
                return http.exchange(url, request);
              },
            };
          },
          sleep: () => Promise.resolve(),
        },
      ),
    );
    const error = await refusesLock('contended', /16 times/, slow.group('busy').acquire('a', ASK, never));
    assert.equal(error.retryable, true);
    assert.equal(others, 16);
    await slow.close();
  });

  it('reads what locksmith writes, and keeps what others add', async () => {
    await etcd.etcdctl(
      'put',
      semaphoreKey('old'),
      '{"semaphore":1,"max":2,"holders":["m1"],"note":{"by":"ops"}}',
    );
    const group = keeper.group('old');
    const view = await group.view(never);
    assert.deepEqual(view.holders, [{id: 'm1', since: null, reason: null, version: null, isKept: false}]);
    assert.deepEqual(await group.acquire('m1', ASK, never), {kind: 'held', since: null});
    assert.equal((await group.acquire('m2', ASK, never)).kind, 'held');
    const document = JSON.parse(await stored('old')) as Record<string, unknown>;
    assert.deepEqual([document['holders'], document['note']], [['m1', 'm2'], {by: 'ops'}]);
  });

  for (const [code, text, pattern] of [
    ['corrupt', '{"semaphore":1,"max":1,"holders":["m1"]}', /semaphore is 1, expected 0/],
    ['corrupt', '{"semaphore":1,"max', /not JSON/],
    ['foreign', '{"total_slots":1,"holders":[]}', /"total_slots"/],
  ] as const) {
    it(`leaves a ${code} document as it is: ${text}`, async () => {
      const name = `left-${text.length}`;
      await etcd.etcdctl('put', semaphoreKey(name), text);
      const group = keeper.group(name);
      await refusesLock(code, pattern, group.acquire('a', ASK, never));
      await refusesLock(code, pattern, group.release('a', never));
      await refusesLock(code, pattern, group.keep('a', ASK, never));
      await refusesLock(code, pattern, group.setMax(2, never));
      await refusesLock(code, pattern, group.setExpiry(60, never));
      await refusesLock(code, pattern, group.view(never));
      assert.equal(await stored(name), text);
      assert.match(await etcd.etcdctl('get', semaphoreKey(name), '-w', 'json'), /"version":1[,}]/);
    });
  }

  it('ends with the signal of who asked', async () => {
    const stopped = AbortSignal.abort(new Error('enough'));
    await assert.rejects(keeper.group('simple').acquire('c', ASK, stopped), /enough/);
  });
});

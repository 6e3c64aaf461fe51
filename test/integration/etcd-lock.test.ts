/** The reboot lock on a real etcd. */
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {semaphoreKey} from '../../formats/semaphore/keys.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {keeperOptions} from '../support/etcd-lock.ts';

const never = new AbortController().signal;
const ASK = {reason: 'update', version: '1.2.3'};

describe('the lock on one member', () => {
  let etcd: EtcdCluster;
  before(async () => {
    etcd = await startEtcd();
  });
  after(() => etcd.stop());

  it('is granted, full, given back, and granted to the next', async () => {
    const keeper = openEtcdKeeper(keeperOptions(etcd));
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
    const stored = JSON.parse(
      await etcd.etcdctl('get', '--print-value-only', semaphoreKey('simple')),
    ) as Record<string, unknown>;
    assert.deepEqual([stored['semaphore'], stored['max'], stored['holders']], [0, 1, ['b']]);
    await keeper.close();
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  keepAliveSchema,
  keyValueOf,
  rangeBody,
  rangeSchema,
  statusSchema,
  txnBody,
  txnSchema,
} from '../../../../platform/etcd/wire.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const header = {cluster_id: '1', member_id: '3319814642761637952', revision: '2', raft_term: '2'};

describe('questions', () => {
  it('ask for one key, or all below a prefix', () => {
    assert.deepEqual(rangeBody({key: 'foo'}), {key: base64('foo')});
    assert.deepEqual(rangeBody({key: 'a/', isPrefix: true, keysOnly: true, order: 'created', limit: 7}), {
      key: base64('a/'),
      range_end: base64('a0'),
      keys_only: true,
      limit: '7',
      sort_order: 'ASCEND',
      sort_target: 'CREATE',
    });
  });

  it('compare the revision of the last write, 0 for a key that is not there', () => {
    const value = Buffer.from('v');
    assert.deepEqual(
      txnBody(
        [{key: 'k', modRevision: 0n}],
        [
          {kind: 'put', key: 'k', value},
          {kind: 'put', key: 'l', value, lease: 2n ** 62n},
          {kind: 'put', key: 'l', value, lease: 'keep'},
          {kind: 'delete', key: 'd'},
        ],
      ),
      {
        compare: [{key: base64('k'), target: 'MOD', result: 'EQUAL', mod_revision: '0'}],
        success: [
          {request_put: {key: base64('k'), value: base64('v')}},
          {request_put: {key: base64('l'), value: base64('v'), lease: '4611686018427387904'}},
          {request_put: {key: base64('l'), value: base64('v'), ignore_lease: true}},
          {request_delete_range: {key: base64('d')}},
        ],
      },
    );
  });
});

describe('answers', () => {
  it('leave out what has its default', () => {
    assert.deepEqual(rangeSchema.parse({header}).kvs, []);
    assert.equal(txnSchema.parse({header}).succeeded, false);
    assert.equal(keepAliveSchema.parse({result: {header, ID: '123'}}).result.TTL, 0n);
    assert.equal(statusSchema.parse({header, version: '3.5.16'}).leader, '0');
  });

  it('hold 64-bit numbers as text and bytes in base64', () => {
    const raw = {
      key: base64('k'),
      value: base64('v'),
      create_revision: '1',
      mod_revision: '9007199254740993',
      lease: '-1',
    };
    const [found] = rangeSchema.parse({header, kvs: [raw], count: '1'}).kvs;
    assert.ok(found !== undefined);
    assert.deepEqual(keyValueOf(found), {
      key: 'k',
      value: Buffer.from('v'),
      createRevision: 1n,
      modRevision: 9007199254740993n,
      lease: -1n,
    });
  });

  it('that are something else are refused', () => {
    for (const value of [undefined, null, [], {}, {header: {revision: 2}}, {header, kvs: [{key: '***'}]}])
      assert.equal(rangeSchema.safeParse(value).success, false, JSON.stringify(value));
  });
});

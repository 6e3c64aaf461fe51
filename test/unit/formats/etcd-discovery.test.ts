import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  DiscoveryError,
  parseRegistry,
  parseRegistrySize,
  registrationOf,
  standingOf,
} from '../../../formats/etcd-discovery.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

const TOKEN = 'https://discovery.example.com/1';
const ANSWER = JSON.stringify({
  action: 'get',
  node: {
    key: '/_etcd/registry/1',
    dir: true,
    nodes: [
      {key: '/_etcd/registry/1/b', value: 'two=http://10.0.0.2:2380', modifiedIndex: 9, createdIndex: 9},
      {key: '/_etcd/registry/1/a', value: 'one=http://10.0.0.1:2380', modifiedIndex: 7, createdIndex: 7},
      {key: '/_etcd/registry/1/_config', dir: true, createdIndex: 5},
    ],
  },
});
const ONE = 'one=http://10.0.0.1:2380';

describe('parseRegistry', () => {
  it('gives who has come, in their order', () => {
    assert.deepEqual(
      parseRegistry(ANSWER, TOKEN).map(({value}) => value),
      [ONE, 'two=http://10.0.0.2:2380'],
    );
    assert.deepEqual(parseRegistry('{"node": {"dir": true}}', TOKEN), []);
  });

  it('refuses what no such service answers', () => {
    for (const text of [
      '',
      '<html>',
      '[]',
      '{"node": 1}',
      '{"errorCode": 100}',
      '{"node":{"nodes":[{"key":1}]}}',
    ])
      assert.throws(() => parseRegistry(text, TOKEN), DiscoveryError);
  });
});

describe('parseRegistry with damaged input', () => {
  it('lets nothing but its own error out', () => {
    fc.assert(
      fc.property(damaged(Buffer.from(ANSWER)), (bytes) =>
        succeedsOrThrows(DiscoveryError, () => parseRegistry(Buffer.from(bytes).toString(), TOKEN)),
      ),
    );
  });
});

describe('parseRegistrySize', () => {
  it('is a number of members', () => {
    assert.equal(parseRegistrySize('{"node": {"value": "3"}}', TOKEN), 3);
    for (const value of ['0', '-1', 'three', '', '99999'])
      assert.throws(() => parseRegistrySize(JSON.stringify({node: {value}}), TOKEN), DiscoveryError);
  });
});

describe('standingOf', () => {
  const all = ['one', 'two', 'three', 'four'].map((name, index) => ({
    value: registrationOf(name, `http://10.0.0.${index + 1}:2380`),
    createdIndex: index,
  }));

  it('waits for as many as the cluster shall have, and takes the first', () => {
    assert.deepEqual(standingOf(all.slice(0, 2), 3, ONE), {kind: 'waiting', here: 2, size: 3});
    assert.deepEqual(standingOf(all, 3, ONE), {
      kind: 'complete',
      initialCluster: 'one=http://10.0.0.1:2380,two=http://10.0.0.2:2380,three=http://10.0.0.3:2380',
    });
  });

  it('leaves to etcd who has not come, or too late, or by another address', () => {
    assert.deepEqual(standingOf(all, 3, 'four=http://10.0.0.4:2380'), {kind: 'not-among-the-first', size: 3});
    assert.deepEqual(standingOf([], 3, ONE), {kind: 'not-registered'});
    assert.deepEqual(standingOf(all, 3, 'one=http://10.0.0.9:2380'), {kind: 'not-registered'});
  });

  it('knows a member by all of its addresses', () => {
    const value = 'one=http://10.0.0.1:2380,one=http://10.1.0.1:2380';
    const own = registrationOf('one', 'http://10.1.0.1:2380,http://10.0.0.1:2380');
    assert.equal(standingOf([{value, createdIndex: 1}], 1, own).kind, 'complete');
  });
});

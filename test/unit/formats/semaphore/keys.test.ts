import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  groupOfKey,
  queryEscape,
  queryUnescape,
  semaphoreKey,
  waiterOfKey,
  waitingKey,
} from '../../../../formats/semaphore/keys.ts';
import {decodeWaiter, encodeWaiter} from '../../../../formats/semaphore/waiting.ts';
import {fc} from '../../../support/property.ts';
import {anyText} from '../../../support/semaphore.ts';

describe('keys', () => {
  it("are locksmith's", () => {
    assert.equal(semaphoreKey(''), 'coreos.com/updateengine/rebootlock/semaphore');
    assert.equal(semaphoreKey('etcd'), 'coreos.com/updateengine/rebootlock/groups/etcd/semaphore');
    // As Go's url.QueryEscape: TestQueryEscape in net/url.
    const hard = ' ?&=#+%!<>#"{}|\\^[]`☺\t:/@$\'()*,;';
    const expected =
      '+%3F%26%3D%23%2B%25%21%3C%3E%23%22%7B%7D%7C%5C%5E%5B%5D%60%E2%98%BA%09%3A%2F%40%24%27%28%29%2A%2C%3B';
    assert.equal(queryEscape(hard), expected);
    assert.equal(queryEscape('abcXYZ019-_.~'), 'abcXYZ019-_.~');
    assert.equal(semaphoreKey('a/b c'), 'coreos.com/updateengine/rebootlock/groups/a%2Fb+c/semaphore');
  });

  it('tell their group and their waiter', () => {
    fc.assert(
      fc.property(
        anyText(40).filter((name) => name !== ''),
        (name) => {
          assert.equal(queryUnescape(queryEscape(name)), name);
          assert.equal(groupOfKey(semaphoreKey(name)), name);
          assert.equal(waiterOfKey(name, waitingKey(name, name)), name);
          assert.equal(groupOfKey(waitingKey(name, 'semaphore')), null);
        },
      ),
    );
    assert.equal(groupOfKey(semaphoreKey('')), '');
    for (const name of ['a/b', '%zz', '%2f', 'a b', ''])
      assert.equal(groupOfKey(`coreos.com/updateengine/rebootlock/groups/${name}/semaphore`), null);
    assert.equal(groupOfKey('elsewhere'), null);
  });
});

describe('a waiting record', () => {
  it('comes back as it was written', () => {
    const waiter = {since: 1_795_000_000_123, reason: 'update', version: '2'};
    assert.deepEqual(decodeWaiter(encodeWaiter(waiter)), waiter);
    const unknown = {since: null, reason: null, version: null};
    assert.deepEqual(decodeWaiter(encodeWaiter(unknown)), unknown);
  });

  it('that makes no sense is one without details', () => {
    const unknown = {since: null, reason: null, version: null};
    for (const text of [
      '',
      '{',
      '7',
      '{"since":7,"reason":[],"version":{}}',
      '{"since":"soon"}',
      ' '.repeat(5000),
    ])
      assert.deepEqual(decodeWaiter(Buffer.from(text)), unknown, text);
    assert.deepEqual(decodeWaiter(Buffer.from([0xff])), unknown);
  });
});

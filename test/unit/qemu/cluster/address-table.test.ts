import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {AddressTable, AGEING_MS, MAX_ADDRESSES} from '../../../../qemu/cluster/address-table.ts';

const [A, B] = ['525400000001', '525400000002'];

describe('AddressTable', () => {
  it('knows where a station was heard last', () => {
    const table = new AddressTable<string>();
    assert.equal(table.find(A, 0), undefined);
    table.learn(A, 'one', 0);
    table.learn(B, 'two', 1);
    assert.deepEqual([table.find(A, 2), table.find(B, 2)], ['one', 'two']);
    table.learn(A, 'two', 3);
    assert.equal(table.find(A, 4), 'two');
  });

  it('forgets a station that says nothing', () => {
    const table = new AddressTable<string>();
    table.learn(A, 'one', 1000);
    assert.equal(table.find(A, 1000 + AGEING_MS), 'one');
    assert.equal(table.find(A, 1001 + AGEING_MS), undefined);
    assert.equal(table.size, 0);
    table.learn(A, 'one', 2000);
    table.learn(A, 'one', 9000);
    assert.equal(table.find(A, 9000 + AGEING_MS), 'one');
  });

  it('forgets all stations behind a jack', () => {
    const table = new AddressTable<string>();
    table.learn(A, 'one', 0);
    table.learn(B, 'two', 0);
    table.forget('one');
    assert.deepEqual([table.find(A, 1), table.find(B, 1)], [undefined, 'two']);
  });

  it('learns no group address', () => {
    const table = new AddressTable<string>();
    table.learn('ffffffffffff', 'one', 0);
    assert.equal(table.size, 0);
  });

  it('keeps the stations heard last when someone invents addresses', () => {
    const table = new AddressTable<string>();
    table.learn(A, 'one', 0);
    for (let number = 0; number < 5 * MAX_ADDRESSES; number += 1) {
      table.learn(`0200${number.toString(16).padStart(8, '0')}`, 'two', 1 + number);
      if (number % 100 === 0) table.learn(A, 'one', 1 + number);
    }
    assert.equal(table.size, MAX_ADDRESSES);
    assert.equal(table.find(A, 5 * MAX_ADDRESSES), 'one');
  });
});

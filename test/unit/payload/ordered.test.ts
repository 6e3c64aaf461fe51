import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {setImmediate} from 'node:timers/promises';
import {mapInOrder} from '../../../payload/ordered.ts';

describe('mapInOrder', () => {
  it('keeps the order, whatever ends first, and never runs more than it may', async () => {
    let [running, most] = [0, 0];
    const work = async (turns: number): Promise<number> => {
      most = Math.max(most, (running += 1));
      for (let left = turns; left > 0; left -= 1) await setImmediate();
      running -= 1;
      return turns;
    };
    const items = [9, 1, 5, 0, 7, 2, 2, 8];
    const found: number[] = [];
    for await (const each of mapInOrder(items, 3, work)) found.push(each);
    assert.deepEqual(found, items);
    assert.equal(most, 3);
  });

  it('waits for what runs when one fails, and starts no more', async () => {
    const started: number[] = [];
    let ended = 0;
    const work = async (item: number): Promise<void> => {
      started.push(item);
      await setImmediate();
      ended += 1;
      if (item === 1) throw new Error('one');
    };
    const run = async (): Promise<void> => {
      const results = mapInOrder([0, 1, 2, 3, 4, 5, 6], 3, work);
      while ((await results.next()).done !== true);
    };
    await assert.rejects(run, /one/);
    assert.equal(ended, started.length);
    assert.ok(started.length < 7);
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {isMachineId, isStorableInteger, storable} from '../../../../server/hub/texts.ts';
import {NOTHING, createWriter} from '../../../../server/hub/writer.ts';
import type {Batch} from '../../../../server/store/machines.ts';
import {batchOf, machineOf} from '../../../support/store-samples.ts';

/** A store that is as slow as the test wants, and breaks when it says so. */
function slowStore(): {
  saved: Batch[];
  save: (batch: Batch) => Promise<void>;
  finish: (error?: Error) => void;
} {
  const saved: Batch[] = [];
  let finish: (error?: Error) => void = () => undefined;
  return {
    saved,
    save: (batch) =>
      new Promise((resolve, reject) => {
        finish = (error) => {
          if (error !== undefined) return reject(error);
          saved.push(batch);
          resolve();
        };
      }),
    finish: (error) => finish(error),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const numbersOf = ({machines}: Batch): number[] => [...new Set(machines.map(({member}) => member.setbacks))];

describe('createWriter', () => {
  it('gathers what comes while it writes, and keeps the latest of each machine', async () => {
    const store = slowStore();
    const writer = createWriter(store.save);
    const first = writer.keep(batchOf('g', 1));
    await turn();
    const others = [writer.keep(batchOf('g', 2)), writer.keep(batchOf('g', 3))];
    store.finish();
    await first;
    await turn();
    store.finish();
    await Promise.all(others);
    assert.deepEqual(store.saved.map(numbersOf), [[1], [3]]);
    assert.equal(store.saved[1]?.events.length, 2 * batchOf('g', 1).events.length);
  });

  it('tells those whose batch broke, and brings their machines with the next one', async () => {
    const store = slowStore();
    const writer = createWriter(store.save);
    const broken = writer.keep({
      ...batchOf('g', 1),
      machines: [machineOf('g', {id: 'a'}), machineOf('g', {id: 'b'})],
    });
    await turn();
    const next = writer.keep({...NOTHING, machines: [machineOf('g', {id: 'b', setbacks: 7})]});
    store.finish(new Error('disk full'));
    await assert.rejects(broken, /disk full/);
    await turn();
    store.finish();
    await next;
    const [batch] = store.saved;
    assert.deepEqual(
      batch?.machines.map(({member}) => [member.id, member.setbacks]),
      [
        ['a', 0],
        ['b', 7],
      ],
    );
    assert.deepEqual(batch.events, []);
  });

  it('is settled when what came before is written, and tries again what broke', async () => {
    const store = slowStore();
    const writer = createWriter(store.save);
    await writer.settled();
    const broken = writer.keep({...NOTHING, machines: [machineOf('g', {id: 'a'})]});
    await turn();
    const told = writer.settled();
    store.finish(new Error('disk full'));
    await Promise.all([assert.rejects(broken), assert.rejects(told, /disk full/)]);
    const again = writer.settled();
    await turn();
    store.finish();
    await again;
    assert.equal(store.saved.length, 1);
    await writer.settled();
    await writer.keep(NOTHING);
    assert.equal(store.saved.length, 1);
  });

  it('is idle when everything is written', async () => {
    const store = slowStore();
    const writer = createWriter(store.save);
    await writer.idle();
    void writer.keep(batchOf('g', 1));
    await turn();
    let isIdle = false;
    const idle = writer.idle().then(() => (isIdle = true));
    await turn();
    assert.equal(isIdle, false);
    store.finish();
    await idle;
    assert.equal(store.saved.length, 1);
  });
});

describe('words of hosts', () => {
  it('lose what no database holds', () => {
    assert.equal(storable('rack 4, "ü" 🚀'), 'rack 4, "ü" 🚀');
    assert.equal(storable(`a\u0000b\ud800c\n`), 'a?b?c?');
    const cut = storable('🚀'.repeat(200));
    assert.equal(cut.length, 256);
    assert.equal(storable(`x${'🚀'.repeat(200)}`).at(-1), '?');
  });

  it('are ids of machines, or not', () => {
    for (const id of ['0123456789abcdef0123456789abcdef', '{A-b}']) assert.equal(isMachineId(id), true);
    for (const id of ['', 'a b', 'ü', 'x'.repeat(129), 'a\n']) assert.equal(isMachineId(id), false);
    assert.deepEqual([isStorableInteger(2 ** 31 - 1), isStorableInteger(2 ** 31)], [true, false]);
  });
});

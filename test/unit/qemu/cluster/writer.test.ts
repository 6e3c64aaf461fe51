/** The writer and the health watch, against a store in memory that fails on demand. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {setImmediate as turn} from 'node:timers/promises';
import type {Change, KeyValue} from '../../../../platform/etcd/wire.ts';
import {EtcdError} from '../../../../platform/etcd/errors.ts';
import {watchHealth} from '../../../../qemu/cluster/health-watch.ts';
import {startWriter, type WriterOptions} from '../../../../qemu/cluster/writer.ts';
import {isFaultless} from '../../../../qemu/cluster/writes.ts';

const never = new AbortController().signal;

type Etcd = WriterOptions['members'][number];
type Fault = 'none' | 'refuses' | 'loses-answers' | 'lies';

class Store {
  readonly values = new Map<string, Uint8Array>();

  member(faultOf: () => Fault): Etcd {
    return {
      range: async () => {
        await turn();
        if (faultOf() !== 'none') throw new EtcdError('unreachable', 'away');
        const kvs = [...this.values].map(([key, value]): KeyValue => {
          return {key, value, createRevision: 1n, modRevision: 1n, lease: 0n};
        });
        return {kvs, count: kvs.length, revision: 1n};
      },
      txn: async (_conditions, changes) => {
        await turn();
        const fault = faultOf();
        if (fault === 'refuses') throw new EtcdError('unreachable', 'away');
        if (fault !== 'lies') changes.forEach((change) => this.#apply(change));
        if (fault === 'loses-answers') throw new EtcdError('timed-out', 'late', {mayBeDone: true});
        return true;
      },
    };
  }

  #apply(change: Change): void {
    if (change.kind === 'put') this.values.set(change.key, change.value);
  }
}

describe('startWriter', () => {
  async function write(faults: readonly Fault[][]): Promise<ReturnType<typeof startWriter>> {
    const store = new Store();
    let asked = 0;
    const members = faults.map((row) => store.member(() => row[Math.min(asked++, row.length - 1)] ?? 'none'));
    let clock = 0;
    const writer = startWriter({members, prefix: 'w/', now: () => (clock += 1), everyMs: 0});
    while (writer.attempts.length < 20) await turn();
    await writer.stop();
    return writer;
  }

  it('remembers what it was promised, and finds it', async () => {
    const writer = await write([['none']]);
    const report = await writer.check(never);
    assert.ok(isFaultless(report));
    assert.equal(report.acknowledged, writer.attempts.length);
  });

  it('goes on with the next member, and says what it does not know', async () => {
    const writer = await write([['none', 'loses-answers', 'refuses'], ['none']]);
    const report = await writer.check(never);
    assert.ok(isFaultless(report));
    assert.deepEqual([report.unknown, report.unknownFound, report.refused], [1, 1, 0]);
    assert.equal(report.acknowledged, writer.attempts.length - 1);
  });

  it('finds out a store that promised too much', async () => {
    const writer = await write([['none', 'none', 'lies', 'none']]);
    const report = await writer.check(never);
    assert.deepEqual(report.lost, [3]);
  });

  it('says when nobody can be asked in the end', async () => {
    const writer = await write([['refuses']]);
    await assert.rejects(writer.check(never), EtcdError);
    assert.equal(
      writer.attempts.every(({outcome}) => outcome === 'refused'),
      true,
    );
  });
});

describe('watchHealth', () => {
  it('asks each member for itself, and tells of each turn', async () => {
    const store = new Store();
    let fault: Fault = 'none';
    const turns: string[] = [];
    let clock = 0;
    const watch = watchHealth({
      members: [
        {name: 'a', etcd: store.member(() => 'none')},
        {name: 'b', etcd: store.member(() => fault)},
      ],
      now: () => (clock += 1),
      everyMs: 0,
      onTurn: ({member, isHealthy, reason}) => turns.push(`${member} ${reason ?? String(isHealthy)}`),
    });
    const answers = async (count: number): Promise<void> => {
      const wanted = watch.samples.length + count;
      while (watch.samples.length < wanted) await turn();
    };
    await answers(6);
    fault = 'refuses';
    await answers(6);
    fault = 'none';
    await answers(6);
    await watch.stop();
    const ended = watch.samples.length;
    await turn();
    assert.equal(watch.samples.length, ended);
    assert.deepEqual(turns.slice(0, 2).sort(), ['a true', 'b true']);
    assert.deepEqual(turns.slice(2), ['b away', 'b true']);
    assert.ok(watch.samples.every(({askedMs, answeredMs}) => askedMs < answeredMs));
  });
});

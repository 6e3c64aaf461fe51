/** The checker must see every kind of fault: a checker that finds nothing proves nothing. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {findFaults} from '../../../support/lock-model/checker.ts';
import type {History, Operation, Sight} from '../../../support/lock-model/history.ts';

const SIGHT: Sight = {max: 1, holders: ['a'], position: 1, waiting: 1};

/** `host` asks from `from` to `to`. */
const held = (host: string, from: number, to: number, actor = host): Operation => ({
  kind: 'acquire',
  host,
  actor,
  from,
  to,
  outcome: 'held',
});
const lostAcquire = (host: string, from: number, to: number): Operation => ({
  kind: 'acquire',
  host,
  actor: host,
  from,
  to,
  outcome: 'unknown',
});
const full = (host: string, from: number, to: number, sight: Partial<Sight> = {}): Operation => ({
  kind: 'acquire',
  host,
  actor: host,
  from,
  to,
  outcome: 'full',
  sight: {...SIGHT, ...sight},
});
const released = (
  host: string,
  from: number,
  to: number,
  outcome: 'released' | 'not-held' | 'unknown' = 'released',
  actor = host,
): Operation => ({kind: 'release', host, actor, from, to, outcome});
const setMax = (max: number, from: number, to: number, outcome: 'set' | 'unknown' = 'set'): Operation => ({
  kind: 'set-max',
  max,
  actor: 'operator',
  from,
  to,
  outcome,
});

function check(operations: readonly Operation[], holders: readonly string[], initialMax = 1): string[] {
  const history: History = {initialMax, operations, final: {max: initialMax, holders}};
  return findFaults(history);
}

function finds(pattern: RegExp, operations: readonly Operation[], holders: readonly string[], max = 1): void {
  const faults = check(operations, holders, max);
  assert.ok(
    faults.some((fault) => pattern.test(fault)),
    `expected ${pattern.source}, got ${JSON.stringify(faults)}`,
  );
}

function passes(operations: readonly Operation[], holders: readonly string[], max = 1): void {
  assert.deepEqual(check(operations, holders, max), []);
}

describe('too many holders', () => {
  it('are found when both hold for certain', () => {
    finds(/2 hosts hold one of 1 slots/, [held('a', 0, 10), held('b', 20, 30)], ['a', 'b']);
    // Also when their questions overlapped: whoever came second should have been refused.
    finds(/2 hosts hold one of 1 slots/, [held('a', 0, 30), held('b', 20, 40)], ['a', 'b']);
  });

  it('are not seen where one may have given back in time', () => {
    passes([held('a', 0, 10), released('a', 20, 50), held('b', 25, 30)], ['b']);
    passes([held('a', 0, 10), released('a', 20, 50, 'unknown'), held('b', 100, 110)], ['b']);
    passes([held('a', 0, 10), released('a', 20, 30, 'released', 'operator'), held('b', 25, 35)], ['b']);
  });

  it('are found although a release was given up, once its host is told that it holds on', () => {
    const again = [held('a', 0, 10), released('a', 20, 30, 'unknown'), held('a', 40, 50)];
    finds(/2 hosts hold/, [...again, held('b', 60, 70)], ['a', 'b']);
  });

  it('are counted against the slots that there were when the last got in', () => {
    const both = [held('a', 20, 30), held('b', 40, 50)];
    passes([setMax(2, 0, 10), ...both], ['a', 'b']);
    passes([setMax(2, 0, 10), ...both, setMax(1, 60, 70)], ['a', 'b']);
    passes([setMax(2, 0, 10), setMax(1, 35, 45), ...both], ['a', 'b']);
    passes([setMax(2, 0, 10, 'unknown'), ...both], ['a', 'b']);
    finds(/2 hosts hold one of 1/, [setMax(2, 0, 10), setMax(1, 12, 15), ...both], ['a', 'b']);
    finds(/2 hosts hold one of 1/, [setMax(2, 60, 70), ...both], ['a', 'b']);
  });

  it('are not one host that asks twice', () => {
    passes([held('a', 0, 10), held('a', 20, 30)], ['a']);
  });
});

describe('a lost unlock', () => {
  it('is found at the end', () => {
    finds(/a gave its slot back, and at the end/, [held('a', 0, 10), released('a', 20, 30)], ['a']);
    finds(/a gave its slot back/, [held('a', 0, 10), released('a', 20, 30, 'released', 'operator')], ['a']);
  });

  it('is found by those who see the holder afterwards', () => {
    const seen = [held('a', 0, 10), released('a', 20, 30), full('b', 40, 50)];
    finds(/b at 40: a, which gave its slot back, still holds it/, seen, []);
  });

  it('is found when an answer was lost in between, but a later one was not', () => {
    const settled = [lostAcquire('a', 0, 10), released('a', 20, 30, 'not-held')];
    passes(settled, []);
    finds(/a gave its slot back/, settled, ['a']);
  });

  it('is not seen where a question without an answer may still be granted', () => {
    passes([held('a', 0, 10), released('a', 20, 30), lostAcquire('a', 40, 50)], ['a']);
    passes([lostAcquire('a', 0, 10), released('a', 20, 30, 'not-held', 'operator')], ['a']);
  });

  it('of a host that never asked is found', () => {
    finds(/z gave its slot back/, [held('a', 0, 10), released('a', 20, 30)], ['z']);
  });
});

describe('a forgotten holder', () => {
  it('is found at the end', () => {
    finds(/a was told that it holds a slot, and at the end holds none/, [held('a', 0, 10)], []);
  });

  it('is found by those who do not see it', () => {
    const seen = [held('a', 0, 10), held('c', 0, 10), full('b', 40, 50, {max: 1, holders: ['c']})];
    finds(/b at 40: a, which holds a slot, is forgotten/, seen, ['a', 'c'], 2);
  });

  it('is not one who was freed', () => {
    passes([held('a', 0, 10), released('a', 20, 30, 'released', 'operator')], []);
    passes([held('a', 0, 10), released('a', 20, 30, 'unknown', 'operator')], []);
  });
});

describe('an answer that makes no sense', () => {
  it('is "full" with a free slot', () => {
    finds(/told "full" with 1 of 2/, [held('a', 0, 10), full('b', 20, 30, {max: 2})], ['a'], 2);
  });

  it('is a place that cannot be', () => {
    const waits = (sight: Partial<Sight>): Operation[] => [held('a', 0, 10), full('b', 20, 30, sight)];
    finds(/place 0 of 1/, waits({position: 0}), ['a']);
    finds(/place 2 of 1/, waits({position: 2}), ['a']);
    finds(/place 1 of 3 among 2 hosts/, waits({waiting: 3}), ['a']);
    finds(/place 1 of null/, waits({waiting: null}), ['a']);
    passes(waits({position: null, waiting: null}), ['a']);
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  expireSlots,
  keepSlot,
  releaseSlot,
  setExpiry,
  setMax,
  takeSlot,
} from '../../../../formats/semaphore/transitions.ts';
import {
  INITIAL_SEMAPHORE,
  type Semaphore,
  SemaphoreError,
  compareIds,
} from '../../../../formats/semaphore/types.ts';
import {fc} from '../../../support/property.ts';
import {anySemaphore} from '../../../support/semaphore.ts';

const ask = (id: string, now = 1000, reason = 'update') => ({id, now, reason, version: '2'});

function take(semaphore: Semaphore, id: string, now?: number, reason?: string): Semaphore {
  const result = takeSlot(semaphore, ask(id, now, reason));
  assert.equal(result.kind, 'held');
  return result.semaphore;
}

describe('a slot', () => {
  it('goes to as many as there are slots', () => {
    const one = take(INITIAL_SEMAPHORE, 'a');
    assert.equal(takeSlot(one, ask('b')).kind, 'full');
    const two = take(setMax(one, 2), 'b');
    assert.deepEqual(
      two.holders.map(({id}) => id),
      ['a', 'b'],
    );
    assert.equal(takeSlot(setMax(INITIAL_SEMAPHORE, 0), ask('a')).kind, 'full');
  });

  it('stays with its holder, who is told so although none is free', () => {
    const one = take(INITIAL_SEMAPHORE, 'a', 1000);
    const again = takeSlot(one, ask('a', 5000));
    assert.ok(again.kind === 'held');
    assert.equal(again.semaphore, one);
    assert.equal(again.holder.since, 1000);
    const lowered = takeSlot(setMax(one, 0), ask('a', 5000));
    assert.equal(lowered.kind, 'held');
  });

  it('takes the words of now, and keeps its time', () => {
    const [holder] = take(take(INITIAL_SEMAPHORE, 'a', 1000), 'a', 5000, 'another').holders;
    assert.deepEqual([holder?.since, holder?.reason], [1000, 'another']);
  });

  it('that was kept begins anew when it is asked for again', () => {
    const kept = keepSlot(take(INITIAL_SEMAPHORE, 'a', 1000), {id: 'a', reason: 'came back', version: '1'});
    assert.ok(kept !== null);
    assert.deepEqual(kept.holders, [
      {id: 'a', since: 1000, reason: 'came back', version: '1', isKept: true, extra: {}},
    ]);
    const [holder] = take(kept, 'a', 9000).holders;
    assert.deepEqual([holder?.since, holder?.isKept], [9000, false]);
    assert.equal(keepSlot(INITIAL_SEMAPHORE, ask('a')), null);
  });

  it('is given back once', () => {
    const none = releaseSlot(take(INITIAL_SEMAPHORE, 'a'), 'a');
    assert.ok(none !== null);
    assert.deepEqual(none, INITIAL_SEMAPHORE);
    assert.equal(releaseSlot(none, 'a'), null);
  });

  it('wants an id that can be written and printed', () => {
    for (const id of ['', 'a\nb', 'x'.repeat(257)])
      assert.throws(() => takeSlot(INITIAL_SEMAPHORE, ask(id)), SemaphoreError);
  });
});

describe('the number of slots', () => {
  it('may fall below that of the holders, who stay', () => {
    const three = take(take(take(setMax(INITIAL_SEMAPHORE, 3), 'a'), 'b'), 'c');
    const one = setMax(three, 1);
    assert.equal(one.holders.length, 3);
    const left = releaseSlot(one, 'a') ?? one;
    assert.equal(takeSlot(left, ask('d')).kind, 'full');
  });

  it('is a count', () => {
    for (const max of [-1, 0.5, NaN, 4097])
      assert.throws(() => setMax(INITIAL_SEMAPHORE, max), SemaphoreError);
  });
});

describe('expiry', () => {
  const group = setExpiry(setMax(INITIAL_SEMAPHORE, 5), 60);

  it('takes slots away after their time, and only then', () => {
    const held = take(take(group, 'old', 0), 'new', 50_000);
    assert.deepEqual(expireSlots(held, {now: 60_000, asking: 'x'}).expired, []);
    const {expired, semaphore} = expireSlots(held, {now: 60_001, asking: 'x'});
    assert.deepEqual(
      expired.map(({id}) => id),
      ['old'],
    );
    assert.deepEqual(
      semaphore.holders.map(({id}) => id),
      ['new'],
    );
  });

  it('leaves what was kept on purpose, what has no time, and the slot of who asks', () => {
    const kept = keepSlot(take(group, 'kept', 0), {id: 'kept', reason: 'came back', version: null}) ?? group;
    const unknown = {
      ...kept,
      holders: [...kept.holders, {...kept.holders[0]!, id: 'unknown', since: null, isKept: false}],
    };
    const own = take(unknown, 'me', 0);
    assert.equal(expireSlots(own, {now: 1e9, asking: 'me'}).semaphore, own);
    assert.equal(
      expireSlots(setExpiry(take(group, 'a', 0), null), {now: 1e9, asking: 'me'}).expired.length,
      0,
    );
  });

  it('is a time or none', () => {
    for (const seconds of [0, -1, 0.5, Infinity])
      assert.throws(() => setExpiry(group, seconds), SemaphoreError);
  });
});

describe('any sequence of steps', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const step = fc.oneof(
    fc.record({kind: fc.constant('take' as const), id}),
    fc.record({kind: fc.constant('release' as const), id}),
    fc.record({kind: fc.constant('keep' as const), id}),
    fc.record({kind: fc.constant('max' as const), max: fc.integer({min: 0, max: 4})}),
    fc.record({kind: fc.constant('expire' as const), id}),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  function apply(semaphore: Semaphore, each: Step, now: number): Semaphore {
    if (each.kind === 'take') return takeSlot(semaphore, ask(each.id, now)).semaphore;
    if (each.kind === 'release') return releaseSlot(semaphore, each.id) ?? semaphore;
    if (each.kind === 'keep') return keepSlot(semaphore, ask(each.id)) ?? semaphore;
    if (each.kind === 'max') return setMax(semaphore, each.max);
    return expireSlots(semaphore, {now, asking: each.id}).semaphore;
  }

  it('never lets more in than there are slots, keeps order, and can be done twice', () => {
    fc.assert(
      fc.property(anySemaphore, fc.array(step, {maxLength: 30}), (start, steps) => {
        let semaphore = start;
        for (const [index, each] of steps.entries()) {
          const next = apply(semaphore, each, index * 1e9);
          assert.deepEqual(apply(next, each, index * 1e9), next);
          const isMore = next.holders.length > semaphore.holders.length;
          assert.ok(!isMore || next.holders.length <= next.max, 'one too many');
          const ids = next.holders.map((holder) => holder.id);
          assert.deepEqual([...new Set(ids)].sort(compareIds), ids);
          assert.deepEqual(next.extra, start.extra);
          semaphore = next;
        }
      }),
    );
  });
});

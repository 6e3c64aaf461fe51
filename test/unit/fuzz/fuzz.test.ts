/** A slice of what `npm run fuzz` does by the million. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {mutate} from '../../fuzz/mutate.ts';
import {payloadTarget} from '../../fuzz/payload.ts';
import {seededRandom} from '../../fuzz/random.ts';
import {runFuzz} from '../../fuzz/target.ts';

describe('fuzz', () => {
  it('accepts no damaged payload, and breaks on none', async () => {
    const {mutations} = await runFuzz(payloadTarget, {seed: 20_251_109, count: 1000});
    assert.equal(mutations, 1000);
  });

  it('changes something every time, and the same for the same seed', () => {
    const original = Buffer.from('some bytes that are long enough');
    for (let seed = 0; seed < 500; seed += 1) {
      const mutated = mutate(original, seededRandom(seed));
      assert.notDeepEqual(mutated, original);
      assert.deepEqual(mutate(original, seededRandom(seed)), mutated);
    }
  });

  it('says how to repeat what failed', async () => {
    const failing = {
      name: 'x',
      what: '',
      prepare: () => Promise.resolve(() => Promise.reject(new Error('boom'))),
    };
    await assert.rejects(runFuzz(failing, {seed: 5, from: 7, count: 3}), /--seed 5 --from 7 --count 1.*boom/);
  });
});

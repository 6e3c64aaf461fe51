/** A slice of what `npm run fuzz` does by the million. */
import {describe, it} from 'node:test';
import {answerTarget} from '../../fuzz/answer.ts';
import {runFuzz} from '../../fuzz/target.ts';

describe('fuzz', () => {
  it('answers or refuses every request, grants within the policy, and keeps what can be kept', async () => {
    await runFuzz(answerTarget, {seed: 20_251_109, count: 400});
  });
});

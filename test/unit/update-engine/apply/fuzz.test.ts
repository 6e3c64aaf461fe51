import {describe, it} from 'node:test';
import {applyTarget, patchTarget} from '../../../fuzz/apply.ts';
import {runFuzz} from '../../../fuzz/target.ts';

describe('mutations', () => {
  for (const [target, count] of [
    [applyTarget, 1500],
    [patchTarget, 1500],
  ] as const)
    it(`of ${target.what} do no harm`, async () => {
      await runFuzz(target, {seed: 20_261_121, count});
    });
});

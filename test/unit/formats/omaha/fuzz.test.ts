import assert from 'node:assert/strict';
import {it} from 'node:test';
import {omahaTarget} from '../../../fuzz/omaha.ts';
import {runFuzz} from '../../../fuzz/target.ts';

it('mutated documents are refused or mean what they say', async () => {
  const {mutations} = await runFuzz(omahaTarget, {
    seed: 20_251_109,
    count: 3000,
  });
  assert.equal(mutations, 3000);
});

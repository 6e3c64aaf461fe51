/** A slice of what `npm run fuzz` does by the million. */
import {describe, it} from 'node:test';
import {cloudConfigTarget} from '../../fuzz/cloud-config.ts';
import {runFuzz} from '../../fuzz/target.ts';

describe('fuzz', () => {
  it('plans nothing that leads astray, whatever the user data', async () => {
    await runFuzz(cloudConfigTarget, {seed: 20_251_109, count: 500});
  });
});

/** A slice of what `npm run fuzz` does by the million. */
import {describe, it} from 'node:test';
import {ignitionTarget} from '../../fuzz/ignition.ts';
import {runFuzz} from '../../fuzz/target.ts';

describe('fuzz', () => {
  it('reads and translates configs of the first boot, whatever they hold', async () => {
    await runFuzz(ignitionTarget, {seed: 20_251_109, count: 500});
  });
});

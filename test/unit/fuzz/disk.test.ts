/** A slice of what `npm run fuzz` does by the million. */
import {describe, it} from 'node:test';
import {fatTarget, gptTarget} from '../../fuzz/disk.ts';
import {runFuzz} from '../../fuzz/target.ts';

describe('fuzz', () => {
  it('harms no other file of a FAT32 volume, whatever it holds', async () => {
    await runFuzz(fatTarget, {seed: 20_251_109, count: 1000});
  });

  it('reads and writes partition tables, whatever they hold', async () => {
    await runFuzz(gptTarget, {seed: 20_251_109, count: 300});
  });
});

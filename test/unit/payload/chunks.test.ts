import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {checkCoverage} from '../../../formats/payload/coverage.ts';
import {CHUNK_BYTES, MIN_ZERO_BLOCKS, ZeroRuns, planChunks} from '../../../payload/chunks.ts';
import {extent} from '../../support/payload-sample.ts';
import {fc} from '../../support/property.ts';

const CHUNK = CHUNK_BYTES / 4096;

describe('planChunks', () => {
  it('cuts data into full chunks and a rest', () => {
    assert.deepEqual(planChunks(2 * CHUNK + 3, [], null), [
      {kind: 'data', extents: [extent(0, CHUNK)]},
      {kind: 'data', extents: [extent(CHUNK, CHUNK)]},
      {kind: 'data', extents: [extent(2 * CHUNK, 3)]},
    ]);
  });

  it('goes on with a chunk behind zeros, and leaves the tree out', () => {
    assert.deepEqual(planChunks(100, [extent(10, 20)], extent(90, 10)), [
      {kind: 'zero', extents: [extent(10, 20)]},
      {kind: 'data', extents: [extent(0, 10), extent(30, 60)]},
    ]);
    assert.deepEqual(planChunks(20, [extent(0, 20)], null), [{kind: 'zero', extents: [extent(0, 20)]}]);
  });

  it('covers every block once', () => {
    const runs = fc.array(fc.tuple(fc.nat({max: 700}), fc.integer({min: 16, max: 900})), {maxLength: 8});
    fc.assert(
      fc.property(runs, fc.nat({max: 2000}), fc.integer({min: 1, max: 40}), (gaps, rest, treeBlocks) => {
        let next = 0;
        const zeros = gaps.map(([gap, blocks]) => {
          const start = next + gap;
          next = start + blocks;
          return extent(start, blocks);
        });
        const tree = extent(next + rest, treeBlocks);
        const chunks = planChunks(tree.startBlock + tree.blocks, zeros, tree);
        checkCoverage([...chunks.flatMap(({extents}) => extents), tree], tree.startBlock + tree.blocks, 'x');
        for (const {kind, extents} of chunks)
          assert.ok(kind === 'zero' || extents.reduce((sum, {blocks}) => sum + blocks, 0) <= CHUNK);
      }),
    );
  });
});

describe('ZeroRuns', () => {
  it('finds runs across updates, and only those that are long enough', () => {
    const [zero, one] = [Buffer.alloc(4096), Buffer.alloc(4096, 1)];
    const zeros = (count: number): Buffer[] => Array.from({length: count}, () => zero);
    const runs = new ZeroRuns();
    runs.update(Buffer.concat([one, ...zeros(MIN_ZERO_BLOCKS - 1), one, ...zeros(10)]));
    runs.update(Buffer.concat([...zeros(10), one]));
    runs.update(Buffer.concat(zeros(MIN_ZERO_BLOCKS)));
    const second = 1 + MIN_ZERO_BLOCKS;
    assert.deepEqual(runs.finish(), [extent(second, 20), extent(second + 21, MIN_ZERO_BLOCKS)]);
  });

  it('looks at every byte of a block', () => {
    const blocks = Buffer.alloc(40 * 4096);
    blocks[20 * 4096 - 1] = 1;
    const runs = new ZeroRuns();
    runs.update(blocks);
    assert.deepEqual(runs.finish(), [extent(0, 19), extent(20, 20)]);
  });
});

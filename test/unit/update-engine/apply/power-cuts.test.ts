import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {VerityTree} from '../../../../formats/verity.ts';
import type {Target} from '../../../../update-engine/slots/target.ts';
import {apply, memoryProgress} from '../../../support/apply.ts';
import {memoryTarget} from '../../../support/memory-target.ts';
import {extent} from '../../../support/payload-sample.ts';
import {type OperationSpec, buildPayload} from '../../../support/payload.ts';
import {fc} from '../../../support/property.ts';

const BLOCK = 4096;
/** More than one block of digests, so that the tree has two levels. */
const DATA_BLOCKS = 150;
const SALT = Buffer.alloc(16, 's');

const DATA = Buffer.concat(
  Array.from({length: DATA_BLOCKS}, (_, index) =>
    Buffer.alloc(BLOCK, index % 3 === 0 ? 0 : `block ${index} `),
  ),
);
const TREE = treeOf(DATA);
const CONTENT = Buffer.concat([DATA, Buffer.alloc(BLOCK, 'superblock'), TREE]);

function treeOf(data: Buffer): Buffer {
  const verity = new VerityTree({salt: SALT});
  verity.update(data);
  return verity.finish().tree;
}

/** Runs of blocks in the given order, zeros as ZERO and others as they are. */
function operationsOf(order: readonly number[], blocks: number): OperationSpec[] {
  const runs = Math.ceil((DATA_BLOCKS + 1) / blocks);
  const ranked = Array.from({length: runs}, (_, run) => run).sort(
    (a, b) => (order[a] ?? 0) - (order[b] ?? 0),
  );
  return ranked.map((run) => {
    const [from, to] = [run * blocks, Math.min(DATA_BLOCKS + 1, (run + 1) * blocks)];
    const blob = CONTENT.subarray(from * BLOCK, to * BLOCK);
    const dst = [extent(from, to - from)];
    return blob.every((byte) => byte === 0) ? {type: 'ZERO', dst} : {type: 'REPLACE', blob, dst};
  });
}

describe('applyPayload', () => {
  it('gives the same partition whatever the order, and wherever the power was cut', async () => {
    const cuts = fc.array(fc.record({writes: fc.nat(60), keep: fc.nat(7)}), {maxLength: 4});
    const order = fc.array(fc.nat(1000), {minLength: 40, maxLength: 40});
    await fc.assert(
      fc.asyncProperty(order, fc.integer({min: 4, max: 20}), cuts, async (ranks, blocks, list) => {
        const {bytes} = buildPayload([
          {
            name: 'usr',
            content: CONTENT,
            operations: operationsOf(ranks, blocks),
            hashTree: {
              data: extent(0, DATA_BLOCKS),
              tree: extent(DATA_BLOCKS + 1, TREE.length / BLOCK),
              algorithm: 'sha256',
              salt: SALT,
            },
          },
        ]);
        const [disk, progress] = [memoryTarget(CONTENT.length), memoryProgress()];
        let now = 0;
        // A save after every few operations.
        const clock = (): number => (now += 2000);
        for (const {writes, keep} of list) {
          const power = new Error('power');
          const usr = dyingTarget(disk, writes, power);
          // What would be saved after the power is gone is not.
          const keeper = {
            load: () => progress.load(),
            save: (document: Parameters<typeof progress.save>[0]) =>
              usr.isDead() ? Promise.reject(power) : progress.save(document),
          };
          const failure = await apply(bytes, {usr}, {progress: keeper, now: clock}).catch(
            (error: unknown) => error,
          );
          if (failure instanceof Error) assert.equal(failure, power);
          disk.cutPower((write) => (write * 3 + keep) % 5 < 2);
        }
        await apply(bytes, {usr: disk}, {progress, now: clock});
        assert.ok(disk.content().equals(CONTENT));
      }),
      {numRuns: 40},
    );
  });
});

/** Takes so many writes, the last of them torn, and then nothing any more. */
function dyingTarget(disk: Target, writes: number, power: Error): Target & {isDead: () => boolean} {
  let left = writes;
  const requirePower = (): void => {
    if (left < 0) throw power;
  };
  return {
    bytes: disk.bytes,
    isDead: () => left < 0,
    async writeAt(offset, bytes) {
      left -= 1;
      if (left === -1) await disk.writeAt(offset, bytes.subarray(0, 512));
      requirePower();
      await disk.writeAt(offset, bytes);
    },
    async readAt(offset, length) {
      requirePower();
      return disk.readAt(offset, length);
    },
    async flush() {
      requirePower();
      await disk.flush();
    },
    async settle() {
      requirePower();
      await disk.settle();
    },
  };
}

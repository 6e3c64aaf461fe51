/**
 * The matrix of power cuts on disks in memory with an ESP of 64 clusters; with real file systems and a thousand cuts
 * more it is test/integration/update-crash-matrix.test.ts.
 */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {runMatrix} from '../../../support/crash-matrix.ts';
import {crashScenarios} from '../../../support/crash-scenarios.ts';
import {SAMPLED} from '../../../support/power-cut.ts';
import {type Recorded, RecordingDisk, type Scope} from '../../../support/recording-disk.ts';
import {fakeErofs, smallRelease} from '../../../support/update-world.ts';

const releases = {
  older: smallRelease('0.9.0', fakeErofs()),
  old: smallRelease('1.0.0', fakeErofs()),
  fresh: smallRelease('2.0.0', fakeErofs()),
};

const scenarios = await crashScenarios(releases);

function isFlushOf(entry: Recorded | undefined, scope: Scope): boolean {
  return entry?.kind === 'flush' && entry.scope === scope;
}

describe('power that fails', () => {
  for (const scenario of scenarios) {
    it(`leaves the old or the new system: ${scenario.name}`, async () => {
      const rows = await runMatrix(scenario, {sampling: SAMPLED, seed: 1});
      assert.ok(rows.some(({old}) => old > 0));
      assert.ok(rows.some((row) => row.new > 0));
      for (const row of rows)
        if (row.step !== 'commit' && row.step !== 'change') assert.equal(row.new, 0, row.step);
    });
  }

  for (const scope of ['esp', 'B', 'table'] as const) {
    it(`would be noticed without the flushes of ${scope}`, async () => {
      const [, scenario] = scenarios;
      assert.ok(scenario !== undefined);
      const run = async (disk: RecordingDisk, remembered: unknown): Promise<void> => {
        await scenario.run(disk, remembered);
        for (let at = disk.log.length - 1; at >= 0; at -= 1)
          if (isFlushOf(disk.log[at], scope)) disk.log.splice(at, 1);
      };
      await assert.rejects(runMatrix({...scenario, run}, {sampling: SAMPLED, seed: 1}));
    });
  }

  it('finds an update in several operations, and one that goes on where it was', async () => {
    const [scenario] = scenarios;
    assert.ok(scenario !== undefined);
    const writesToSlot = ({log}: RecordingDisk): number =>
      log.filter((entry) => entry.kind === 'write' && entry.scope === 'B').length;
    const first = new RecordingDisk(scenario.start.clone());
    await scenario.run(first, null);
    assert.ok(writesToSlot(first) >= 5);
    const saved = first.log.filter((entry) => entry.kind === 'remember');
    assert.ok(saved.length >= 2);
    const again = new RecordingDisk(first.image.clone());
    await scenario.run(again, saved.at(-1)?.value);
    // The verity tree, which is computed anew.
    assert.equal(writesToSlot(again), 1);
    const half = new RecordingDisk(first.image.clone());
    await scenario.run(half, saved[0]?.value);
    assert.ok(writesToSlot(half) > 0 && writesToSlot(half) < writesToSlot(first));
  });
});

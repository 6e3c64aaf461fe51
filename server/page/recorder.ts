/** Keeps for the chart how many machines of each group run which version: the last of what was so in each ten minutes. */
import type {Hub} from '../hub/hub.ts';
import {listGroups} from '../store/groups.ts';
import {sampleStart, saveSample, thinSamples} from '../store/samples.ts';
import type {Database} from '../store/sql.ts';

export interface Recorder {
  /** To be called each minute or so; writes only what changed. */
  record(now: number): Promise<void>;
}

const THIN_MS = 3_600_000;

export function createRecorder(database: Database, hub: Hub): Recorder {
  const kept = new Map<string, string>();
  let thinnedAt = -Infinity;
  return {
    async record(now) {
      const at = sampleStart(now);
      for (const {id, name} of await listGroups(database)) {
        const {versions} = hub.summary(name);
        const text = JSON.stringify([at, versions]);
        if (kept.get(id) === text) continue;
        await saveSample(database, id, at, new Map(Object.entries(versions)));
        kept.set(id, text);
      }
      if (now - thinnedAt < THIN_MS) return;
      await thinSamples(database, now);
      thinnedAt = now;
    },
  };
}

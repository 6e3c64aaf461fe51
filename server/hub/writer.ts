/**
 * Keeps what answers leave behind: while one transaction is under way, what comes gathers for the next. So a hundred
 * hosts that ask at once cost one commit, and nobody is answered before what the answer rests on is on the disk.
 */
import type {Batch} from '../store/machines.ts';

export interface Writer {
  /** Returns when it is kept; throws what the store throws, and then events and grants of the batch are nowhere. */
  keep(batch: Batch): Promise<void>;
  /** Returns when all is kept that was handed over by now; throws as keep does. */
  settled(): Promise<void>;
  /** When nothing is under way. */
  idle(): Promise<void>;
}

export const NOTHING: Batch = {machines: [], events: [], grants: [], states: new Map()};

export function createWriter(save: (batch: Batch) => Promise<void>): Writer {
  let gathered = NOTHING;
  let next: Promise<void> | null = null;
  let current: Promise<void> = Promise.resolve();
  /** How many batches are under way or follow. */
  let running = 0;

  async function run(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined);
    const batch = gathered;
    gathered = NOTHING;
    next = null;
    try {
      if (!isEmpty(batch)) await save(batch);
    } catch (error) {
      // What machines and rollouts are like is true all the same, and what came since is newer. Whoever told an event
      // hears that it was not taken, and tells it again.
      gathered = merge({...batch, events: [], grants: []}, gathered);
      throw error;
    } finally {
      running -= 1;
    }
  }

  function keep(batch: Batch): Promise<void> {
    gathered = merge(gathered, batch);
    if (next === null) {
      running += 1;
      next = run(current);
      current = next;
    }
    return next;
  }

  return {
    keep,
    settled() {
      // What could not be kept before is tried again.
      if (next !== null || !isEmpty(gathered)) return keep(NOTHING);
      return running > 0 ? current : Promise.resolve();
    },
    async idle() {
      for (let waited = current; ; waited = current) {
        await waited.catch(() => undefined);
        if (waited === current) return;
      }
    },
  };
}

export function isEmpty({machines, events, grants, states}: Batch): boolean {
  return machines.length === 0 && events.length === 0 && grants.length === 0 && states.size === 0;
}

/** Of a machine or a rollout that is in both the later one counts. */
export function merge(earlier: Batch, later: Batch): Batch {
  const machines = new Map([...earlier.machines, ...later.machines].map((each) => [each.member.id, each]));
  return {
    machines: [...machines.values()],
    events: [...earlier.events, ...later.events],
    grants: [...earlier.grants, ...later.grants],
    states: new Map([...earlier.states, ...later.states]),
  };
}

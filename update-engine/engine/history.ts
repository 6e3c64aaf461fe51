/** What the last check and the last update came to. Kept on ROOT, so that `status` can tell after a restart. */
import {z} from '../../formats/schema.ts';
import {statusSchema} from '../api/status.ts';
import {STATE_FILES} from '../paths.ts';
import type {StateStore} from '../state/store.ts';

const {lastCheck, lastOffer, lastUpdate, lastError, counters, channel} = statusSchema.shape;

/** Fields of other versions are passed over, as in the other documents. */
export const historySchema = z.object({
  /** The version that this host was installed with. */
  alephVersion: z.string().max(128),
  lastCheck,
  /** Absent in the documents of releases before it. */
  lastOffer: lastOffer.default(null),
  lastUpdate,
  lastError,
  counters,
  /** Absent in the documents of releases before it; what a later one wrote is no reason to forget the rest. */
  channel: channel.catch(null),
});
export type History = z.infer<typeof historySchema>;

export interface HistoryBook {
  read(): History;
  /** Keeps the change and writes it; writing that fails is the caller's to hear. */
  change(change: Partial<History>): Promise<void>;
}

export async function openHistory(state: StateStore, version: string): Promise<HistoryBook> {
  let history: History = (await state.read(STATE_FILES.history, historySchema)) ?? {
    alephVersion: version,
    lastCheck: null,
    lastOffer: null,
    lastUpdate: null,
    lastError: null,
    channel: null,
    counters: {checks: 0, checkFailures: 0, updates: 0, updateFailures: 0},
  };
  let written: Promise<void> = Promise.resolve();
  return {
    read: () => history,
    change(change) {
      history = {...history, ...change};
      // One after the other, each with all that was known when it began.
      written = written.catch(() => undefined).then(() => state.write(STATE_FILES.history, history));
      return written;
    },
  };
}

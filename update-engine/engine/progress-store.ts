/**
 * How far the payload in the idle slot has come, on ROOT, together with the slot that it is about: after a rollback the
 * idle slot is another one, and what was written to the first says nothing about it.
 */
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import {z} from '../../formats/schema.ts';
import type {ProgressKeeper} from '../apply/progress.ts';
import {STATE_FILES} from '../paths.ts';
import type {StateStore} from '../state/store.ts';

export interface ProgressStore extends ProgressKeeper {
  /** What was written is not to be built upon. */
  clear(): Promise<void>;
}

/** What it holds besides the slot is judged by those who wrote it. */
const documentSchema = z.object({slot: z.enum(['A', 'B']), progress: z.unknown()});

/** `slot` is the idle one; null on a host without slots, where nothing is ever saved. */
export function openProgress(state: StateStore, slot: SlotLetter | null): ProgressStore {
  return {
    async load() {
      const found = await state.read(STATE_FILES.progress, documentSchema);
      return found?.slot === slot ? found.progress : null;
    },
    save: (progress) => state.write(STATE_FILES.progress, {slot, progress}),
    clear: () => state.remove(STATE_FILES.progress),
  };
}

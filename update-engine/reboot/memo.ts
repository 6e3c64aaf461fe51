/**
 * What this host owes to others for the sake of a reboot: a slot of the lock, and the hooks that put it back to work. It
 * is on the disk before the debt is made, and leaves it after the debt is paid, so that no power cut and no rollback
 * makes a holder that nobody remembers.
 */
import type {RebootDebt} from '../state/documents.ts';
import type {StateStore} from '../state/store.ts';

export interface Memo {
  /** What was last read or written; `load` comes first. */
  current(): RebootDebt | null;
  load(): Promise<RebootDebt | null>;
  save(debt: RebootDebt | null): Promise<void>;
}

export function openMemo(state: Pick<StateStore, 'reboot' | 'setReboot'>, touch: () => void): Memo {
  let debt: RebootDebt | null = null;
  return {
    current: () => debt,
    async load() {
      debt = await state.reboot();
      return debt;
    },
    async save(next) {
      if (JSON.stringify(next) === JSON.stringify(debt)) return;
      await state.setReboot(next);
      debt = next;
      touch();
    },
  };
}

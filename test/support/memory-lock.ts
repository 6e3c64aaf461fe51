/** A reboot lock of one slot in this process, with other hosts to hold it. */
import type {LockHolder, RebootLock} from '../../coordination/lock.ts';

export interface MemoryLock {
  /** The lock as this host sees it. */
  readonly lock: RebootLock;
  holder: LockHolder | null;
  /** What was asked for, in order. */
  readonly asked: string[];
}

export function memoryLock(id: string): MemoryLock {
  const asked: string[] = [];
  const state: MemoryLock = {
    asked,
    holder: null,
    lock: {
      where: 'memory',
      acquire: ({reason, version}) => {
        asked.push('acquire');
        state.holder ??= {id, since: Date.now(), reason, version};
        const {holder} = state;
        return Promise.resolve(
          holder.id === id
            ? {kind: 'held', since: holder.since}
            : {kind: 'full', max: 1, holders: [holder], position: 1, waiting: 1},
        );
      },
      keep: ({reason, version}) => {
        asked.push('keep');
        if (state.holder?.id !== id) return Promise.resolve('not-held');
        state.holder = {...state.holder, reason, version};
        return Promise.resolve('kept');
      },
      release: () => {
        asked.push('release');
        if (state.holder?.id !== id) return Promise.resolve('not-held');
        state.holder = null;
        return Promise.resolve('released');
      },
      close: () => Promise.resolve(),
    },
  };
  return state;
}

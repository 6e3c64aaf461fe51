/**
 * Who keeps the slots that the FleetLock server gives out: the reboot lock in etcd, of which the hosts of this product
 * are holders as well.
 */
import type {EtcdKeeper} from '../../coordination/etcd-lock.ts';

export type SlotAnswer =
  {readonly kind: 'held'} | {readonly kind: 'full'; readonly max: number | null; readonly holders: number};

/** Both are idempotent, and throw LockError when it is not known what came of it. */
export interface SlotKeeper {
  acquire(group: string, id: string, reason: string, signal: AbortSignal): Promise<SlotAnswer>;
  release(group: string, id: string, signal: AbortSignal): Promise<void>;
}

/** FleetLock's name for hosts that name no group; locksmith has a semaphore without a name for them. */
export const DEFAULT_GROUP = 'default';

export function createSlotKeeper(etcd: Pick<EtcdKeeper, 'group'>): SlotKeeper {
  // Hosts that set nothing on either side count together.
  const groupOf = (name: string): ReturnType<EtcdKeeper['group']> =>
    etcd.group(name === DEFAULT_GROUP ? '' : name);
  return {
    async acquire(group, id, reason, signal) {
      const answer = await groupOf(group).acquire(id, {reason, version: null}, signal);
      if (answer.kind === 'held') return {kind: 'held'};
      return {kind: 'full', max: answer.max, holders: answer.holders.length};
    },
    async release(group, id, signal) {
      await groupOf(group).release(id, signal);
    },
  };
}

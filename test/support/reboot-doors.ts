/** The doors of a host on which nothing stands in the way of a restart, and which has no lock to ask for. */
import {LockError} from '../../coordination/lock.ts';
import type {RebootDoors} from '../../update-engine/reboot/coordinator.ts';
import type {Gate, GateName} from '../../update-engine/reboot/gate.ts';

export function openDoors(): RebootDoors {
  const open = (name: GateName): Gate => ({
    name,
    ask: () => Promise.resolve({kind: 'open', detail: 'open', againMs: null}),
  });
  return {
    openLock: (kind) => Promise.reject(new LockError('settings', `no ${kind} in this test`)),
    gates: {
      window: open('window'),
      inhibitors: open('inhibitors'),
      sessions: {
        ...open('sessions'),
        blocksForever: () => false,
        calledOff: () => Promise.resolve(),
      },
      hooks: open('hooks'),
    },
    runPostGood: () => Promise.resolve(null),
  };
}

/** What REBOOT_STRATEGY comes to on this host. */
import type {RebootStrategy as StrategyName} from '../../formats/update-conf.ts';
import type {GateAnswer, RebootPlan} from './gate.ts';

export type LockKind = 'etcd-lock' | 'fleet-lock';

export interface Strategy {
  readonly name: 'reboot' | 'off' | LockKind;
  /** For people, when it is not what the configuration says. */
  readonly note: string | null;
}

export function strategyOf(name: StrategyName): Strategy {
  if (name !== 'best-effort') return {name, note: null};
  // It took the lock where etcd ran and did without elsewhere; what runs by chance must not decide about a quorum.
  return {name: 'etcd-lock', note: 'REBOOT_STRATEGY=best-effort is treated as etcd-lock'};
}

export function lockKindOf({name}: Strategy): LockKind | null {
  return name === 'etcd-lock' || name === 'fleet-lock' ? name : null;
}

/** An operator who asks for a reboot through the engine has overruled `off`. */
export function askStrategy(strategy: Strategy, plan: RebootPlan): GateAnswer {
  if (strategy.name === 'off' && plan.kind !== 'requested') {
    const detail = `${plan.version} waits for a restart by hand: REBOOT_STRATEGY=off`;
    return {kind: 'closed', detail, againMs: OFF_AGAIN_MS};
  }
  return {kind: 'open', detail: `REBOOT_STRATEGY=${strategy.name}`, againMs: null};
}

/** Someone may have changed the configuration. */
const OFF_AGAIN_MS = 5 * 60_000;

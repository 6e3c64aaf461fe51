/**
 * Whether the machine may restart now, and if not, why: the seam where strategies plug in. A strategy that cannot be
 * evaluated says no; restarting without being allowed to is the one thing that it must never do.
 */
import type {RebootStrategy as StrategyName} from '../../formats/update-conf.ts';
import type {Target} from '../machine/states.ts';

export type RebootAnswer =
  | {kind: 'go'}
  /** `reason` is a sentence without its end; asked again after this long, or never without being told to. */
  | {kind: 'wait'; reason: string; againMs: number | null};

export interface RebootStrategy {
  /** What it is called in the configuration, or what it stands in for. */
  readonly name: 'reboot' | 'off';
  /** For people, when it is not what the configuration says. */
  readonly note: string | null;
  mayReboot(target: Target, signal: AbortSignal): Promise<RebootAnswer>;
}

const RESTARTS_AT_ONCE: RebootStrategy = {
  name: 'reboot',
  note: null,
  mayReboot: () => Promise.resolve({kind: 'go'}),
};

/** The strategy of this name. Those of clusters are not part of this release and count as `off`. */
export function rebootStrategy(name: StrategyName): RebootStrategy {
  if (name === 'reboot') return RESTARTS_AT_ONCE;
  const note =
    name === 'off' ? null : `REBOOT_STRATEGY=${name} is not supported by this release, treated as off`;
  return {
    name: 'off',
    note,
    mayReboot: ({version}) =>
      Promise.resolve({
        kind: 'wait',
        reason: note ?? `${version} waits for a restart by hand: REBOOT_STRATEGY=off`,
        againMs: null,
      }),
  };
}

/** Which version a machine is to have next: pure, from what it runs and where its group is headed. */
import {compareVersions, hasVersionPrefix, isVersion} from '../../formats/version.ts';
import type {RolloutPolicy} from './policy.ts';

export interface Target {
  readonly version: string;
  /** Whether machines that run something newer are offered it as well. */
  readonly allowDowngrade: boolean;
}

export type Way =
  /** To the target, or to a stepping stone on the way there. */
  | {readonly kind: 'to'; readonly version: string}
  /** It runs the target, or something newer. */
  | {readonly kind: 'arrived'}
  /** There is nothing for it. */
  | {readonly kind: 'aside'};

/** What the channel points to, unless the policy names a version. */
export function targetOf({pin}: Pick<RolloutPolicy, 'pin'>, channel: Target | null): Target | null {
  return pin === null ? channel : {version: pin, allowDowngrade: false};
}

/**
 * `prefix` is empty, or the beginning of the only versions that the machine takes. A machine whose version cannot be
 * compared gets nothing: there is no telling whether it would be a step back.
 */
export function wayOf(
  running: string,
  prefix: string,
  target: Target | null,
  steppingStones: readonly string[],
): Way {
  if (target === null || !isVersion(running)) return {kind: 'aside'};
  const ahead = compareVersions(target.version, running);
  if (ahead === 0 || (ahead < 0 && !target.allowDowngrade)) return {kind: 'arrived'};
  const [stone] = steppingStones
    .filter((each) => compareVersions(each, running) > 0 && compareVersions(each, target.version) < 0)
    .sort(compareVersions);
  const version = stone ?? target.version;
  return prefix === '' || hasVersionPrefix(version, prefix) ? {kind: 'to', version} : {kind: 'aside'};
}

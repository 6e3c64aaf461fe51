/** The rules of a group in words. */
import {formatGoDuration} from '../../formats/go-duration.ts';
import {type RolloutPolicy, type Threshold, formatPace, formatShare} from '../rollout/policy.ts';
import {countOf} from './words.ts';

export function describePolicy(policy: RolloutPolicy): readonly (readonly [string, string])[] {
  const {pace, maxInFlight, windows, canary, pin, steppingStones, halt, seed} = policy;
  const lines: readonly (readonly [string, string | null])[] = [
    ['Pace', formatPace(pace)],
    ['Under way at once', maxInFlight === null ? 'any number' : countOf(maxInFlight, 'machine')],
    ['Windows', windows.length === 0 ? 'always' : windows.map(({text}) => text).join('; ')],
    ['Canaries', canary === null ? 'none' : describeCanary(canary)],
    ['Pinned to', pin],
    ['Stepping stones', steppingStones.length === 0 ? null : steppingStones.join(', ')],
    ['Halts when', describeHalt(halt)],
    ['Grants last', formatGoDuration(policy.grantLastsMs)],
    ['Lost after', formatGoDuration(policy.lostAfterMs)],
    ['Tries', String(policy.attempts)],
    ['Seed of the order', seed === '' ? null : seed],
  ];
  return lines.flatMap(([term, text]) => (text === null ? [] : [[term, text] as const]));
}

function describeCanary({machines, share, good, soakMs}: NonNullable<RolloutPolicy['canary']>): string {
  const named = machines.length === 0 ? [] : [`${countOf(machines.length, 'machine')} by name`];
  const some = share === 0 ? [] : [`${formatShare(share)} of all`];
  return `${[...named, ...some].join(' and ')}; ${good} good for ${formatGoDuration(soakMs)}`;
}

const RULES = [
  ['rolledBack', 'go back'],
  ['lost', 'do not come back'],
  ['failed', 'fail'],
  ['together', 'do any of these'],
] as const;

function describeHalt(halt: RolloutPolicy['halt']): string {
  const rules = RULES.flatMap(([name, what]) => {
    const rule = halt[name];
    return rule === null ? [] : [`${describeThreshold(rule)} ${what}`];
  });
  return rules.length === 0 ? 'never' : rules.join('; ');
}

function describeThreshold({machines, share}: Threshold): string {
  const least = share === 0 ? '' : ` and ${formatShare(share)}`;
  return `${countOf(machines, 'machine')}${least}`;
}

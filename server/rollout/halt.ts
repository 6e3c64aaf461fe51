/** When a rollout stops by itself: counts of what went wrong against the thresholds of the policy; pure. */
import {type HaltRules, type Threshold, formatShare} from './policy.ts';

/** Machines that were granted the target. */
export interface Outcomes {
  readonly good: number;
  readonly failed: number;
  readonly rolledBack: number;
  readonly lost: number;
}

export const NO_OUTCOMES: Outcomes = {good: 0, failed: 0, rolledBack: 0, lost: 0};

const RULES = [
  ['rolledBack', 'went back to the version before'],
  ['lost', 'did not come back'],
  ['failed', 'failed to update'],
  ['together', 'failed, went back or did not come back'],
] as const;

/**
 * Why to stop, in a sentence; null to go on. What a person has seen before saying `resume` (`seen`) does not count
 * again, neither for nor against.
 */
export function reasonToHalt(outcomes: Outcomes, seen: Outcomes, rules: HaltRules): string | null {
  const fresh = subtract(outcomes, seen);
  const together = fresh.failed + fresh.rolledBack + fresh.lost;
  const ended = fresh.good + together;
  const counts = {...fresh, together};
  for (const [name, what] of RULES) {
    const rule = rules[name];
    if (rule === null || !isPassed(counts[name], ended, rule)) continue;
    const limit = `${rule.machines} and ${formatShare(rule.share)}`;
    return `${counts[name]} of ${ended} machines that came to an end ${what}; the limit is ${limit}`;
  }
  return null;
}

function isPassed(count: number, ended: number, {machines, share}: Threshold): boolean {
  return count >= machines && count >= share * ended;
}

/** Machines that became good after all leave the counts; below nothing there is nothing. */
function subtract(outcomes: Outcomes, seen: Outcomes): Outcomes {
  const less = (name: keyof Outcomes): number => Math.max(0, outcomes[name] - seen[name]);
  return {good: less('good'), failed: less('failed'), rolledBack: less('rolledBack'), lost: less('lost')};
}

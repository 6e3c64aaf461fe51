/** Sizes against their declared budgets. */
import {CodedError} from '../formats/errors.ts';
import {formatBytes} from '../formats/units.ts';

export class BudgetError extends CodedError<'over-budget'> {}

export interface SizeCheck {
  what: string;
  bytes: number;
  budget: number;
}

export function describeSize({what, bytes, budget}: SizeCheck): string {
  const over = bytes - budget;
  // A share of 100 % would not tell a part that fits from one that is a byte too long.
  const share = over > 0 ? `${formatBytes(over)} too much` : `${Math.floor((100 * bytes) / budget)} %`;
  return `${what}: ${formatBytes(bytes)} of ${formatBytes(budget)} (${share})`;
}

/** Throws BudgetError naming every part that is too large. */
export function requireWithinBudgets(checks: readonly SizeCheck[]): void {
  const over = checks.filter(({bytes, budget}) => bytes > budget);
  if (over.length === 0) return;
  throw new BudgetError('over-budget', `over budget: ${over.map(describeSize).join('; ')}`, {
    hint: 'leave packages or paths out, or raise the budget if every host has the room',
  });
}

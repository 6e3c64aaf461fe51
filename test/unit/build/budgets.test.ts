import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {BudgetError, describeSize, requireWithinBudgets} from '../../../build/budgets.ts';

describe('requireWithinBudgets', () => {
  it('takes what fits, to the byte', () => {
    requireWithinBudgets([]);
    requireWithinBudgets([{what: 'uki', bytes: 70_000_000, budget: 70_000_000}]);
  });

  it('names every part that is too large, with both values', () => {
    const checks = [
      {what: 'usr', bytes: 950_000_000, budget: 943_718_400},
      {what: 'uki', bytes: 29_000_000, budget: 70_000_000},
      {what: 'usr-partition', bytes: 5_000_000_000, budget: 2_147_483_648},
    ];
    assert.throws(
      () => requireWithinBudgets(checks),
      (error) => {
        assert.ok(error instanceof BudgetError);
        assert.equal(
          error.message,
          'over budget: usr: 950 MB of 944 MB (6.28 MB too much); usr-partition: 5.00 GB of 2.15 GB (2.85 GB too much)',
        );
        assert.match(error.hint ?? '', /raise the budget/);
        return true;
      },
    );
  });

  it('tells a part that just fits from one that is a byte too long', () => {
    assert.throws(
      () => requireWithinBudgets([{what: 'usr', bytes: 943_718_401, budget: 943_718_400}]),
      /usr: 944 MB of 944 MB \(1 B too much\)/,
    );
    assert.equal(describeSize({what: 'usr', bytes: 1000, budget: 1000}), 'usr: 1.00 kB of 1.00 kB (100 %)');
    assert.equal(describeSize({what: 'usr', bytes: 0, budget: 1000}), 'usr: 0 B of 1.00 kB (0 %)');
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type Check, type CheckResult, oneLine, runRounds} from '../../../../update-engine/health/rounds.ts';
import type {Verdict} from '../../../../update-engine/health/verdict.ts';

const PASSED: Verdict = {passed: true, detail: ''};
const failed = (detail: string): Verdict => ({passed: false, detail});

/** A clock that only moves when something sleeps or takes its time. */
class World {
  now = 0;
  readonly changes: string[] = [];

  async run(checks: readonly Check[], deadlineMs = 20_000) {
    return runRounds({
      checks: () => Promise.resolve(checks),
      deadlineMs,
      now: () => this.now,
      // The watch over a check that hangs is a sleep that nobody ever sees the end of, unless the check hangs.
      sleep: (ms) => (ms > 3_000 ? new Promise(() => undefined) : this.pass(ms)),
      timeout: () => new AbortController().signal,
      onChange: ({name, passed, detail}: CheckResult) =>
        this.changes.push(`${this.now} ${name} ${passed ? 'passed' : 'failed'} ${detail}`.trim()),
    });
  }

  pass(ms: number): Promise<void> {
    this.now += ms;
    return Promise.resolve();
  }

  check(name: string, verdicts: readonly (Verdict | Error)[], ms = 0): Check {
    let round = 0;
    return {
      name,
      run: async () => {
        await this.pass(ms);
        const verdict = verdicts[Math.min(round, verdicts.length - 1)] ?? PASSED;
        round += 1;
        if (verdict instanceof Error) throw verdict;
        return verdict;
      },
    };
  }
}

describe('runRounds', () => {
  it('is content with one round in which all pass', async () => {
    const world = new World();
    const outcome = await world.run([world.check('a', [PASSED], 100), world.check('b', [PASSED])]);
    assert.deepEqual(
      {passed: outcome.passed, rounds: outcome.rounds, seconds: outcome.results.map(({seconds}) => seconds)},
      {passed: true, rounds: 1, seconds: [0.1, 0]},
    );
  });

  it('goes on until all pass at once, and tells only what changed', async () => {
    const world = new World();
    const outcome = await world.run([
      world.check('a', [failed('x'), PASSED, PASSED, PASSED]),
      world.check('b', [PASSED, failed('y'), failed('y'), PASSED]),
    ]);
    assert.deepEqual([outcome.passed, outcome.rounds], [true, 4]);
    assert.deepEqual(world.changes, [
      '0 a failed x',
      '0 b passed',
      '3000 a passed',
      '3000 b failed y',
      '9000 b passed',
    ]);
  });

  it('ends at the deadline with the last round', async () => {
    const world = new World();
    const outcome = await world.run([world.check('a', [failed('x')], 1_000)]);
    assert.equal(outcome.passed, false);
    assert.ok(world.now <= 20_000);
    assert.deepEqual(
      outcome.results.map(({name, passed, detail}) => ({name, passed, detail})),
      [{name: 'a', passed: false, detail: 'x'}],
    );
  });

  it('takes an error for a failure, and its message for the reason', async () => {
    const world = new World();
    const outcome = await world.run([world.check('a', [new Error('no such\nfile'), PASSED])]);
    assert.equal(outcome.passed, true);
    assert.equal(world.changes[0], '0 a failed no such file');
  });

  it('fails what has no time left', async () => {
    const world = new World();
    const outcome = await world.run([world.check('slow', [PASSED], 30_000), world.check('late', [PASSED])]);
    assert.equal(outcome.passed, false);
    assert.deepEqual(outcome.results.at(-1), {
      name: 'late',
      passed: false,
      detail: 'no time was left for it',
      seconds: 0,
    });
  });

  it('tells why a check failed when the deadline cuts the next round short', async () => {
    const world = new World();
    const outcome = await world.run([
      world.check('slow', [failed('reason'), failed('stopped')], 9_000),
      world.check('late', [failed('closed')]),
    ]);
    assert.deepEqual(
      [outcome.rounds, ...outcome.results.map(({name, detail}) => `${name} ${detail}`)],
      [2, 'slow reason', 'late closed'],
    );
  });

  it('does not wait for a check that heeds no signal', async () => {
    const outcome = await runRounds({
      checks: () => Promise.resolve([{name: 'hangs', run: () => new Promise<Verdict>(() => undefined)}]),
      deadlineMs: 2_000,
      now: () => 0,
      sleep: () => Promise.resolve(),
      timeout: () => new AbortController().signal,
      onChange: () => undefined,
    });
    assert.deepEqual(outcome.results[0]?.detail, 'did not end in time');
  });
});

describe('oneLine', () => {
  it('makes texts of others fit to be shown', () => {
    assert.equal(oneLine(' a\n\u001B[31mb\u0000\uD800 '), 'a [31mb');
    assert.equal(oneLine('x'.repeat(5000)).length, 1000);
  });
});

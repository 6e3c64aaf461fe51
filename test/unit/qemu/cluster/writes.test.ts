import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  isFaultless,
  judgeWrites,
  type WriteAttempt,
  type WriteOutcome,
  writeKey,
  writeValue,
} from '../../../../qemu/cluster/writes.ts';

const PREFIX = 'test/';

/** `a`cknowledged, `r`efused, `u`nknown; a tenth of a second each. */
function attemptsOf(letters: string): WriteAttempt[] {
  const outcomes: Record<string, WriteOutcome> = {a: 'acknowledged', r: 'refused', u: 'unknown'};
  return [...letters].map((letter, index) => ({
    number: index + 1,
    startedMs: 100 * index,
    endedMs: 100 * (index + 1),
    outcome: outcomes[letter] ?? 'unknown',
  }));
}

function written(...numbers: number[]): Map<string, string> {
  return new Map(numbers.map((number) => [writeKey(PREFIX, number), writeValue(number)]));
}

describe('judgeWrites', () => {
  it('is content when all that was promised is there', () => {
    const report = judgeWrites(PREFIX, attemptsOf('aaa'), written(1, 2, 3));
    assert.ok(isFaultless(report));
    assert.deepEqual([report.attempts, report.acknowledged], [3, 3]);
  });

  it('takes what is unknown either way', () => {
    const report = judgeWrites(PREFIX, attemptsOf('auua'), written(1, 3, 4));
    assert.ok(isFaultless(report));
    assert.deepEqual([report.unknown, report.unknownFound], [2, 1]);
  });

  it('finds what was acknowledged and is lost', () => {
    const report = judgeWrites(PREFIX, attemptsOf('aaua'), written(1, 3));
    assert.deepEqual(report.lost, [2, 4]);
    assert.ok(!isFaultless(report));
  });

  it('finds a value that nobody wrote', () => {
    const found = written(1, 2).set(writeKey(PREFIX, 2), 'write 1');
    const report = judgeWrites(PREFIX, attemptsOf('aa'), found);
    assert.deepEqual(report.altered, [writeKey(PREFIX, 2)]);
    assert.ok(!isFaultless(report));
  });

  it('finds what was refused, and what nobody tried', () => {
    const report = judgeWrites(PREFIX, attemptsOf('ar'), written(1, 2, 3).set('test/x', ''));
    assert.deepEqual(report.invented, [writeKey(PREFIX, 2), writeKey(PREFIX, 3), 'test/x']);
    assert.ok(!isFaultless(report));
  });

  for (const [letters, pauseMs] of [
    ['', 0],
    ['aaaa', 100],
    ['auura', 400],
    ['auuu', 300],
    ['uua', 300],
    ['uu', 200],
  ] as const)
    it(`measures the longest pause of ${JSON.stringify(letters)}`, () =>
      assert.equal(judgeWrites(PREFIX, attemptsOf(letters), new Map()).longestPauseMs, pauseMs));

  it('has keys that sort as their numbers', () => {
    const keys = [9, 10, 99, 100, 12_345].map((number) => writeKey(PREFIX, number));
    assert.deepEqual([...keys].sort(), keys);
  });
});

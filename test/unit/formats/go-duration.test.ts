import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {formatGoDuration, parseGoDuration} from '../../../formats/go-duration.ts';
import {fc} from '../../support/property.ts';

describe('parseGoDuration', () => {
  // From the documentation and the tests of Go's time.ParseDuration.
  const good: [string, number][] = [
    ['0', 0],
    ['+0', 0],
    ['5s', 5000],
    ['1478s', 1_478_000],
    ['-5s', -5000],
    ['5.0s', 5000],
    ['5.6s', 5600],
    ['5.s', 5000],
    ['.5s', 500],
    ['1.004s', 1004],
    ['10ns', 0.000_01],
    ['12µs', 0.012],
    ['12μs', 0.012],
    ['3h30m', 12_600_000],
    ['10.5s4m', 250_500],
    ['-2m3.4s', -123_400],
    ['1h2m3s4ms5us6ns', 3_723_004.005_006],
  ];
  for (const [text, ms] of good)
    it(`reads ${text}`, () => {
      assert.ok(Math.abs((parseGoDuration(text) ?? Number.NaN) - ms) < 1e-6);
    });

  for (const text of [
    '',
    '3',
    '-',
    's',
    '.',
    '-.',
    '.s',
    '+.s',
    '1d',
    '1 h',
    '5min',
    '1h 3',
    `${'1'.repeat(70)}s`,
  ])
    it(`refuses ${JSON.stringify(text.slice(0, 10))}`, () => {
      assert.equal(parseGoDuration(text), null);
    });

  it('reads what formatGoDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({max: 10_000_000}), (seconds) => {
        assert.equal(parseGoDuration(formatGoDuration(1000 * seconds)), 1000 * seconds);
      }),
    );
    assert.equal(formatGoDuration(5_400_000), '1h30m');
  });
});

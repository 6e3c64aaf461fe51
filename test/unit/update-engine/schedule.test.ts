import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {firstCheck, nextCheck} from '../../../update-engine/schedule.ts';
import {fc} from '../../support/property.ts';

const MINUTE = 60_000;
const minutes = ({intervalMs, delayMs}: {intervalMs: number; delayMs: number}): [number, number] => [
  intervalMs / MINUTE,
  delayMs / MINUTE,
];

describe('firstCheck', () => {
  it('is 7 minutes after the start, 5 minutes earlier or later', () => {
    assert.deepEqual(
      [0, 0.5, 1].map((random) => firstCheck(random).delayMs / MINUTE),
      [2, 7, 12],
    );
  });
});

describe('nextCheck', () => {
  const cases: [string, Parameters<typeof nextCheck>[0], [number, number, number]][] = [
    ['every 45 minutes', {intervalMs: null, status: null, pollSeconds: null}, [45, 40, 50]],
    [
      'the same after any other error',
      {intervalMs: 90 * MINUTE, status: 404, pollSeconds: null},
      [45, 40, 50],
    ],
    ['twice as long after 500', {intervalMs: 45 * MINUTE, status: 500, pollSeconds: null}, [90, 45, 135]],
    ['twice again after 503', {intervalMs: 90 * MINUTE, status: 503, pollSeconds: null}, [180, 90, 270]],
    ['never more than 4 hours', {intervalMs: 180 * MINUTE, status: 503, pollSeconds: null}, [240, 120, 360]],
    ['90 minutes after a start and a 503', {intervalMs: null, status: 503, pollSeconds: null}, [90, 45, 135]],
    ['as the server wishes', {intervalMs: 45 * MINUTE, status: null, pollSeconds: 7200}, [120, 60, 180]],
    ['not below 45 minutes', {intervalMs: null, status: null, pollSeconds: 60}, [45, 40, 50]],
    ['not beyond 4 hours', {intervalMs: null, status: null, pollSeconds: 86_400}, [240, 120, 360]],
  ];
  for (const [name, last, [interval, earliest, latest]] of cases)
    it(`is ${name}`, () => {
      assert.deepEqual(minutes(nextCheck(last, 0)), [interval, earliest]);
      assert.deepEqual(minutes(nextCheck(last, 1)), [interval, latest]);
    });

  it('never hammers and never falls asleep, whatever came before', () => {
    const status = fc.constantFrom(null, 200, 404, 500, 503);
    const pollSeconds = fc.option(fc.nat());
    const random = fc.double({min: 0, max: 1, maxExcluded: true, noNaN: true});
    fc.assert(
      fc.property(fc.array(fc.record({status, pollSeconds, random}), {maxLength: 50}), (checks) => {
        let intervalMs: number | null = null;
        for (const {random: chance, ...check} of checks) {
          const next = nextCheck({intervalMs, ...check}, chance);
          assert.ok(next.intervalMs >= 45 * MINUTE && next.intervalMs <= 240 * MINUTE);
          assert.ok(next.delayMs >= 40 * MINUTE && next.delayMs <= 360 * MINUTE);
          if (check.status === 503) assert.ok(next.intervalMs >= (intervalMs ?? 0));
          intervalMs = next.intervalMs;
        }
      }),
    );
  });
});

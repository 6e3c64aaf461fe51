import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {countTicks, timeTicks} from '../../../../server/page/axis.ts';
import {bandsOf, newestFirst, versionChart} from '../../../../server/page/chart.ts';
import type {Sample} from '../../../../server/page/model.ts';
import {fc} from '../../../support/property.ts';

const HOUR = 3_600_000;
const T0 = Date.UTC(2026, 10, 21);
const at = (hour: number, counts: Readonly<Record<string, number>>): Sample => ({
  at: T0 + hour * HOUR,
  counts: Object.entries(counts).map(([version, machines]) => ({version, machines})),
});

describe('the bands of a chart', () => {
  it('are versions, newest first, with what each had when', () => {
    const samples = [at(0, {'1.9.0': 3}), at(1, {'1.9.0': 1, '1.10.0': 2})];
    assert.deepEqual(bandsOf(samples), [
      {label: '1.10.0', machines: [0, 2]},
      {label: '1.9.0', machines: [3, 1]},
    ]);
  });

  it('share one for what is older than the newest five', () => {
    const counts = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((minor) => [`1.${minor}.0`, minor]));
    const bands = bandsOf([at(0, counts)]);
    assert.deepEqual(
      bands.map(({label}) => label),
      ['1.8.0', '1.7.0', '1.6.0', '1.5.0', '1.4.0', 'older'],
    );
    assert.deepEqual(bands.at(-1)?.machines, [1 + 2 + 3]);
  });

  it('lose no machine', () => {
    const version = fc.integer({min: 0, max: 12}).map((minor) => `1.${minor}.0`);
    const sample = fc.dictionary(version, fc.nat({max: 1000}));
    fc.assert(
      fc.property(fc.array(sample, {minLength: 1, maxLength: 10}), (list) => {
        const samples = list.map((counts, hour) => at(hour, counts));
        const bands = bandsOf(samples);
        list.forEach((counts, index) => {
          const shown = bands.reduce((sum, {machines}) => sum + (machines[index] ?? 0), 0);
          assert.equal(
            shown,
            Object.values(counts).reduce((sum, count) => sum + count, 0),
          );
        });
      }),
    );
  });

  it('put what is no version last', () => {
    assert.deepEqual(newestFirst(['nightly', '1.2.0', 'a', '1.10.0']), ['1.10.0', '1.2.0', 'a', 'nightly']);
  });
});

describe('the chart', () => {
  it('stays within its frame, whatever the numbers', () => {
    const sample = fc.dictionary(fc.constantFrom('1.0.0', '1.1.0', 'x'), fc.nat({max: 2_000_000}));
    fc.assert(
      fc.property(fc.array(sample, {minLength: 2, maxLength: 30}), (list) => {
        const markup = versionChart(
          list.map((counts, hour) => at(hour, counts)),
          'T',
        ).toString();
        assert.doesNotMatch(markup, /NaN|Infinity|undefined/);
        for (const [, path = ''] of markup.matchAll(/class="band[^>]* d="M([^"]*)Z"/g))
          for (const point of path.split('L')) {
            const [x = NaN, y = NaN] = point.split(' ').map(Number);
            assert.ok(x >= 56 && x <= 1052 && y >= 9.9 && y <= 252.1, point);
          }
      }),
    );
  });

  it('says in words and in a table what it shows', () => {
    const markup = versionChart(
      [at(0, {'1.0.0': 5}), at(1, {'1.0.0': 2, '1.1.0': 3})],
      'Versions of group web',
    ).toString();
    assert.match(markup, /<title id="chart-title">Versions of group web<\/title>/);
    assert.match(markup, /Now:\s+1\.0\.0 on 2, 1\.1\.0 on 3/);
    assert.match(
      markup,
      /<tr>\s*<th scope="row">2026-11-21 01:00<\/th>\s*<td class="num">3<\/td>\s*<td class="num">2<\/td>\s*<\/tr>/,
    );
    assert.match(markup, /60 %/);
  });

  it('has no more points than it can show', () => {
    const samples = Array.from({length: 5000}, (_, index) => ({
      at: T0 + index * 600_000,
      counts: [{version: '1.0.0', machines: index}],
    }));
    assert.ok(versionChart(samples, 'T').toString().length < 30_000);
  });

  it('waits for a second sample', () => {
    assert.match(versionChart([at(0, {'1.0.0': 1})], 'T').toString(), /begins with the next samples/);
    assert.match(versionChart([], 'T').toString(), /begins with the next samples/);
  });
});

describe('the axes', () => {
  it('have round numbers up to the largest', () => {
    assert.deepEqual(countTicks(1, 4), [0, 1]);
    assert.deepEqual(countTicks(7, 4), [0, 2, 4, 6, 8]);
    assert.deepEqual(countTicks(100_000, 4), [0, 50_000, 100_000]);
    fc.assert(
      fc.property(fc.integer({min: 1, max: 10_000_000}), (max) => {
        const ticks = countTicks(max, 4);
        assert.ok((ticks.at(-1) ?? 0) >= max && ticks.length <= 6 && ticks.every(Number.isInteger));
      }),
    );
  });

  it('have round times, and days by name', () => {
    assert.deepEqual(
      timeTicks(T0 - 6 * HOUR, T0 + 6 * HOUR, 8).map(({label}) => label),
      ['18:00', '20:00', '22:00', '21 Nov', '02:00', '04:00', '06:00'],
    );
    assert.ok(timeTicks(T0, T0 + 90 * 24 * HOUR, 8).length <= 9);
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {UnitError, formatBytes, formatSeconds, parseSize} from '../../../formats/units.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

describe('formatBytes', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [9994, '9.99 kB'],
    [9996, '10.0 kB'],
    [99_940, '99.9 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [2_147_483_648, '2.15 GB'],
    [5e15, '5.00 PB'],
    [5e18, '5000 PB'],
  ];
  for (const [bytes, text] of cases) it(`${bytes} is ${text}`, () => assert.equal(formatBytes(bytes), text));

  it('always has three digits, but for bytes', () => {
    fc.assert(
      fc.property(fc.integer({min: 1000, max: 2 ** 50}), (bytes) => {
        assert.match(formatBytes(bytes), /^(\d\.\d\d|\d\d\.\d|\d\d\d) (k|M|G|T|P)B$/);
      }),
    );
  });
});

describe('formatSeconds', () => {
  const cases: [number, string][] = [
    [0, '0.0 s'],
    [0.44, '0.4 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [250, '4 min 10 s'],
    [3600, '60 min 0 s'],
  ];
  for (const [seconds, text] of cases)
    it(`${seconds} is ${text}`, () => assert.equal(formatSeconds(seconds), text));
});

describe('parseSize', () => {
  it('reads decimal and binary units, and plain bytes', () => {
    const cases: [string, number][] = [
      ['4096', 4096],
      ['0', 0],
      ['230 MB', 230e6],
      ['230MB', 230e6],
      ['900 MiB', 900 * 1024 ** 2],
      ['1 KiB', 1024],
      ['1 kB', 1000],
      ['2 TiB', 2 * 1024 ** 4],
      ['3 TB', 3e12],
      ['7 B', 7],
      [' 5 GiB ', 5 * 1024 ** 3],
    ];
    for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
  });

  it('refuses what could mean two things, or nothing', () => {
    for (const text of [
      '',
      'MB',
      '1.5 GB',
      '-1',
      '1e9',
      '1 M',
      '1 mb',
      '1  GB',
      '1 GB x',
      '9000000 TB',
      '0x10',
    ])
      assert.throws(
        () => parseSize(text),
        (error) =>
          error instanceof UnitError && error.message.includes(text) && /900 MiB/.test(error.hint ?? ''),
        text,
      );
    fc.assert(fc.property(fc.string(), (text) => succeedsOrThrows(UnitError, () => parseSize(text))));
  });
});

import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseLocksmithWindow, parseWindows} from '../../../../formats/reboot-window/parse.ts';
import {fc} from '../../../support/property.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

describe('parseLocksmithWindow', () => {
  // The first six are those of locksmith's own table.
  const good: [string, string, object][] = [
    ['14:00', '1h', {days: EVERY_DAY, hour: 14, minute: 0, lengthMs: HOUR}],
    ['sun 14:00', '1h', {days: [0], hour: 14, minute: 0, lengthMs: HOUR}],
    ['Thu 23:30', '2h', {days: [4], hour: 23, minute: 30, lengthMs: 2 * HOUR}],
    ['MON 00:00', '167h59m', {days: [1], hour: 0, minute: 0, lengthMs: 167 * HOUR + 59 * MINUTE}],
    ['  Sat   4:5 ', ' 90m ', {days: [6], hour: 4, minute: 5, lengthMs: 90 * MINUTE}],
    ['02:00', '0', {days: EVERY_DAY, hour: 2, minute: 0, lengthMs: 0}],
  ];
  for (const [start, length, expected] of good)
    it(`reads ${start} and ${length}`, () => {
      const reading = parseLocksmithWindow(start, length);
      assert.equal(reading.kind, 'value');
      const {text, ...window} = reading.value;
      assert.deepEqual(window, {...expected, zone: null});
      assert.equal(text, `${start.trim()}+${length.trim()}`);
    });

  const bad: [string, string, RegExp][] = [
    ['', '1h', /starts at "", which is no time of day/],
    ['24:00', '1h', /no time of day/],
    ['14:60', '1h', /no time of day/],
    ['-1:00', '1h', /no time of day/],
    ['1400', '1h', /no time of day/],
    ['day 14:00', '1h', /no time such as "02:00" or "Thu 02:00"/],
    ['Thursday 14:00', '1h', /no time such as/],
    ['a b 14:00', '1h', /no time such as/],
    ['14:00', 'fast', /lasts "fast", which is no duration/],
    ['14:00', '', /no duration/],
    ['14:00', '-1h', /negative/],
    ['14:00', '24h', /shorter than 24 hours/],
    ['Mon 14:00', '168h', /shorter than 7 days/],
  ];
  for (const [start, length, problem] of bad)
    it(`refuses ${JSON.stringify(start)} and ${JSON.stringify(length)}`, () => {
      const reading = parseLocksmithWindow(start, length);
      assert.equal(reading.kind, 'bad');
      assert.match(reading.problem, problem);
    });
});

describe('parseWindows', () => {
  it('reads several, with days, lengths and zones', () => {
    const reading = parseWindows(
      'Mon-Fri 02:00+2h Europe/Berlin;  sat,SUN  22:00+6h UTC ;Fri-Mon 1:30+30h; 12:00+0s;',
    );
    assert.equal(reading.kind, 'value');
    assert.deepEqual(
      reading.value.map(({text, days, hour, minute, lengthMs, zone}) => [
        text,
        days.join(''),
        60 * hour + minute,
        lengthMs / HOUR,
        zone,
      ]),
      [
        ['Mon-Fri 02:00+2h Europe/Berlin', '12345', 120, 2, 'Europe/Berlin'],
        ['sat,SUN 22:00+6h UTC', '06', 1320, 6, 'UTC'],
        ['Fri-Mon 1:30+30h', '0156', 90, 30, null],
        ['12:00+0s', '0123456', 720, 0, null],
      ],
    );
  });

  const bad: [string, RegExp][] = [
    [';;', /names no window/],
    ['02:00', /has "02:00", which is no window such as/],
    ['02:00 +2h', /no window such as/],
    ['Mon..Fri 02:00+2h', /no window such as/],
    ['Mon-Fri-Sat 02:00+2h', /days that are not like/],
    ['Mon,,Tue 02:00+2h', /days that are not like/],
    ['02:00+24h', /shorter than 24 hours/],
    ['Sun-Sat 02:00+24h', /shorter than 24 hours/],
    ['Mon 02:00+168h', /shorter than 7 days/],
    ['02:00+2h CEST', /"CEST", which is no time zone/],
    ['02:00+2h +01:00', /no time zone/],
    ['02:00+2h ../../etc/passwd', /no time zone/],
    ['02:00+2h Europe/Berlin twice', /no window such as/],
    [Array.from({length: 33}, () => '02:00+2h').join(';'), /has 33 windows, more than 32/],
    ['02:00+2h; 03:00+x', /has "03:00\+x", which lasts "x"/],
  ];
  for (const [text, problem] of bad)
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      const reading = parseWindows(text);
      assert.equal(reading.kind, 'bad');
      assert.match(reading.problem, problem);
    });

  it('takes any text', () => {
    const words = fc.constantFrom('Mon', '-', ',', ' ', ';', '02:00', '+', '2h', 'UTC', 'Europe/Berlin', '9');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, {maxLength: 12}).map((each) => each.join('')),
        ),
        (text) => {
          const reading = parseWindows(text);
          if (reading.kind === 'value') for (const {days} of reading.value) assert.ok(days.length > 0);
        },
      ),
    );
  });
});

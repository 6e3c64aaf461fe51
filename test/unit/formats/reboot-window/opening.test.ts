import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {RebootWindowError} from '../../../../formats/reboot-window/error.ts';
import {type Opening, formatInstant, openingAt} from '../../../../formats/reboot-window/opening.ts';
import {parseWindows} from '../../../../formats/reboot-window/parse.ts';
import type {RebootWindow} from '../../../../formats/reboot-window/window.ts';
import {CLOCK_CHANGES} from '../../../fixtures/clock-changes.ts';
import {fc} from '../../../support/property.ts';

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function windowsOf(text: string): readonly RebootWindow[] {
  const reading = parseWindows(text);
  assert.equal(reading.kind, 'value');
  return reading.value;
}

function at(windows: string, instant: string, hostZone = 'UTC'): Opening {
  return openingAt(windowsOf(windows), hostZone, Date.parse(instant));
}

describe('openingAt', () => {
  it('is open always without windows', () => {
    assert.deepEqual(openingAt([], 'UTC', 0), {kind: 'open', window: null, until: null});
  });

  it('knows when it opens and closes, both ends belonging to it', () => {
    const window = windowsOf('02:00+1h UTC');
    const closed = {kind: 'closed', window: window[0]};
    const open = {kind: 'open', window: window[0], until: Date.parse('2026-05-05T03:00Z')};
    assert.deepEqual(at('02:00+1h UTC', '2026-05-05T01:59:59.999Z'), {
      ...{...closed, opensAt: Date.parse('2026-05-05T02:00Z')},
    });
    assert.deepEqual(at('02:00+1h UTC', '2026-05-05T02:00Z'), open);
    assert.deepEqual(at('02:00+1h UTC', '2026-05-05T03:00Z'), open);
    assert.deepEqual(at('02:00+1h UTC', '2026-05-05T03:00:00.001Z'), {
      ...{...closed, opensAt: Date.parse('2026-05-06T02:00Z')},
    });
  });

  it('is in the zone of the host unless a window names one', () => {
    assert.equal(at('02:00+1h', '2026-01-05T01:30Z', 'Europe/Berlin').kind, 'open');
    assert.equal(at('02:00+1h UTC', '2026-01-05T01:30Z', 'Europe/Berlin').kind, 'closed');
  });

  it('counts windows that overlap or touch as one', () => {
    const text = 'Mon 22:00+2h UTC; Tue 00:00+1h UTC; Tue 00:30+2h UTC; Wed 12:00+1h UTC';
    const opening = at(text, '2026-01-05T22:30Z');
    assert.deepEqual(opening.kind === 'open' && opening.until, Date.parse('2026-01-06T02:30Z'));
  });

  it('sees no end of windows that cover the week', () => {
    const opening = at('Mon 00:00+100h UTC; Thu 00:00+100h UTC', '2026-01-05T22:30Z');
    assert.deepEqual(opening.kind === 'open' && opening.until, null);
  });

  it('gives the engine a minute to look at a window without length', () => {
    assert.equal(at('02:00+0s UTC', '2026-01-05T02:00:59Z').kind, 'open');
    assert.equal(at('02:00+0s UTC', '2026-01-05T02:01:01Z').kind, 'closed');
  });

  it('lasts for days', () => {
    assert.equal(at('Mon 00:00+167h UTC', '2026-01-11T22:59Z').kind, 'open');
    assert.equal(at('Mon 00:00+167h UTC', '2026-01-11T23:01Z').kind, 'closed');
  });

  it('refuses a zone of the host that does not exist', () => {
    assert.throws(() => at('02:00+1h', '2026-01-05T02:00Z', 'Mars/Olympus'), RebootWindowError);
  });

  for (const {what, window, opens, closes, after, before} of CLOCK_CHANGES)
    it(`${what}: ${window}`, () => {
      const [opensAt, closesAt] = [Date.parse(opens), Date.parse(closes)];
      const ahead = at(window, after);
      assert.deepEqual(
        ahead.kind === 'closed' && new Date(ahead.opensAt).toISOString(),
        new Date(opens).toISOString(),
      );
      for (let instant = Date.parse(after); instant <= Date.parse(before); instant += 300 * SECOND) {
        const opening = openingAt(windowsOf(window), 'UTC', instant);
        const isOpen = instant >= opensAt && instant <= closesAt;
        assert.equal(opening.kind, isOpen ? 'open' : 'closed', new Date(instant).toISOString());
        if (opening.kind === 'open') assert.equal(opening.until, closesAt);
      }
    });
});

const zone = fc.constantFrom(
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Africa/Cairo'],
  ...['Pacific/Chatham', 'Pacific/Apia', 'America/St_Johns', 'Africa/Casablanca', 'Etc/GMT+12'],
);
const days = fc.uniqueArray(fc.constantFrom<0 | 1 | 2 | 3 | 4 | 5 | 6>(0, 1, 2, 3, 4, 5, 6), {minLength: 1});
const anyWindow = fc
  .record({days, hour: fc.nat({max: 23}), minute: fc.nat({max: 59}), minutes: fc.nat({max: 1439}), zone})
  .map(({minutes, ...rest}): RebootWindow => ({
    ...rest,
    text: '',
    days: rest.days.sort(),
    lengthMs: 60_000 * minutes,
  }));
const instant = fc.integer({min: Date.UTC(2024, 0), max: Date.UTC(2028, 0)});

describe('openingAt, of any windows at any time', () => {
  it('opens when it says, and not before', () => {
    fc.assert(
      fc.property(fc.array(anyWindow, {minLength: 1, maxLength: 3}), instant, (windows, now) => {
        const opening = openingAt(windows, 'UTC', now);
        if (opening.kind === 'open') return;
        assert.ok(opening.opensAt > now && opening.opensAt <= now + 8 * DAY);
        assert.equal(openingAt(windows, 'UTC', opening.opensAt).kind, 'open');
        assert.equal(openingAt(windows, 'UTC', opening.opensAt - 1).kind, 'closed');
        const middle = Math.floor((now + opening.opensAt) / 2);
        if (middle < opening.opensAt) assert.deepEqual(openingAt(windows, 'UTC', middle), opening);
      }),
    );
  });

  it('closes when it says, and not before', () => {
    fc.assert(
      fc.property(fc.array(anyWindow, {minLength: 1, maxLength: 3}), instant, (windows, now) => {
        const opening = openingAt(windows, 'UTC', now);
        if (opening.kind === 'closed' || opening.until === null) return;
        assert.equal(openingAt(windows, 'UTC', opening.until).kind, 'open');
        assert.equal(openingAt(windows, 'UTC', opening.until + 1).kind, 'closed');
        assert.equal(openingAt(windows, 'UTC', Math.floor((now + opening.until) / 2)).kind, 'open');
      }),
    );
  });

  it('begins once on each of its days', () => {
    fc.assert(
      fc.property(anyWindow, instant, (window, from) => {
        let [begins, now] = [0, from];
        while (now < from + 28 * DAY) {
          const opening = openingAt([{...window, lengthMs: 0}], 'UTC', now);
          if (opening.kind === 'open') now = (opening.until ?? now) + 1;
          else {
            now = opening.opensAt;
            begins += now < from + 28 * DAY ? 1 : 0;
          }
        }
        // One more or less where the four weeks begin and end.
        assert.ok(Math.abs(begins - 4 * window.days.length) <= 1, `${begins} of ${window.days.length} days`);
      }),
      {numRuns: 20},
    );
  });
});

describe('formatInstant', () => {
  it('tells the clock on the wall, and the date when it is far', () => {
    const now = Date.parse('2026-03-02T12:00Z');
    assert.equal(
      formatInstant(Date.parse('2026-03-02T20:15Z'), 'Asia/Kathmandu', now),
      'Tue 02:00 (Asia/Kathmandu)',
    );
    assert.equal(formatInstant(Date.parse('2026-03-09T02:00Z'), 'UTC', now), 'Mon 2026-03-09 02:00 (UTC)');
  });
});

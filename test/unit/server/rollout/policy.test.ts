import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ServerError} from '../../../../server/errors.ts';
import {NO_OUTCOMES, type Outcomes, reasonToHalt} from '../../../../server/rollout/halt.ts';
import {happeningOf} from '../../../../server/rollout/member.ts';
import {createSortedKeys, placeOf} from '../../../../server/rollout/order.ts';
import {
  DEFAULT_POLICY_DOCUMENT,
  formatPace,
  parsePace,
  parsePolicy,
  parseShare,
} from '../../../../server/rollout/policy.ts';
import {type Target, targetOf, wayOf} from '../../../../server/rollout/target.ts';
import {createWatch} from '../../../../server/rollout/watch.ts';
import {fc} from '../../../support/property.ts';

describe('parsePolicy', () => {
  it('has defaults for everything, which are valid', () => {
    const policy = parsePolicy({}, 'p');
    assert.deepEqual(policy, parsePolicy(DEFAULT_POLICY_DOCUMENT, 'p'));
    assert.deepEqual(policy.pace, {kind: 'share', share: 0.1, everyMs: 3_600_000});
    assert.deepEqual(policy.halt.rolledBack, {machines: 1, share: 0.02});
  });

  it('reads windows with their zones, canaries and durations', () => {
    const policy = parsePolicy(
      {
        windows: 'Mon-Fri 09:00+8h Europe/Berlin',
        canary: {machines: ['a'], share: '0.5%', good: 2, soak: '1h30m'},
        inFlight: 7,
      },
      'p',
    );
    assert.equal(policy.windows[0]?.zone, 'Europe/Berlin');
    assert.deepEqual(
      [policy.canary?.share, policy.canary?.soakMs, policy.maxInFlight],
      [0.005, 5_400_000, 7],
    );
  });

  const refused: [string, unknown, RegExp][] = [
    ['a field that it does not know', {pase: 'at once'}, /p: pase: unknown key/],
    ['a pace without end', {pace: '5% every 0s'}, /no pace like/],
    ['a pace of nothing', {pace: '0 every 1h'}, /no pace like/],
    ['more than everyone', {pace: '101% every 1h'}, /no pace like/],
    ['a zone that is none', {windows: '02:00+2h Europe/Nowhere'}, /windows: .*no time zone/],
    ['a pin that is no version', {pin: '1.x'}, /pin: .*not a version/],
    ['no room for anybody', {inFlight: 0}, /inFlight/],
    [
      'canaries that nobody is',
      {canary: {machines: [], share: '0%', good: 1, soak: '0s'}},
      /neither machines/,
    ],
    ['a list', [], /expected object/],
    ['nothing', null, /expected object/],
  ];
  for (const [name, document, message] of refused)
    it(`refuses ${name}`, () =>
      assert.throws(
        () => parsePolicy(document, 'p'),
        (error) => error instanceof ServerError && error.code === 'bad-policy' && message.test(error.message),
      ));
});

describe('pace and share', () => {
  it('are read as they are written', () => {
    for (const text of ['at once', '5% every 1h', '20 every 30m', '0.25% every 1h30m']) {
      const pace = parsePace(text);
      assert.ok(pace !== null, text);
      assert.equal(formatPace(pace), text);
    }
    assert.deepEqual(['100%', '0%', '7.5%', '100.1%', '-1%', '5', '1e1%'].map(parseShare), [
      1,
      0,
      0.075,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('placeOf', () => {
  it('follows from seed and id, spreads evenly, and another seed is another order', () => {
    const ids = Array.from({length: 10_000}, (_, index) => `machine-${index}`);
    const early = (seed: string): string[] => ids.filter((id) => placeOf(seed, id) < 0.05);
    assert.deepEqual(early('a'), early('a'));
    assert.ok(Math.abs(early('a').length - 500) < 80, String(early('a').length));
    const both = early('a').filter((id) => placeOf('b', id) < 0.05);
    assert.ok(both.length < 60, String(both.length));
    assert.notEqual(placeOf('1', '1:x'), placeOf('11', 'x'));
  });
});

describe('createSortedKeys', () => {
  it('ranks as sorting would', () => {
    const step = fc.record({key: fc.nat({max: 30}), add: fc.boolean()});
    fc.assert(
      fc.property(fc.array(step, {maxLength: 60}), fc.nat({max: 31}), (steps, wanted) => {
        const keys = createSortedKeys();
        let model: number[] = [];
        for (const {key, add} of steps) {
          if (add) {
            keys.add(key);
            model.push(key);
          } else {
            keys.remove(key);
            const at = model.indexOf(key);
            model = model.filter((_, index) => index !== at);
          }
        }
        assert.equal(keys.rank(wanted), model.filter((each) => each < wanted).length);
        assert.equal(keys.size, model.length);
      }),
    );
  });
});

describe('createWatch', () => {
  it('finds what lies too far back, whatever was moved on or taken away meanwhile', () => {
    const step = fc.record({name: fc.constantFrom('a', 'b', 'c'), at: fc.nat({max: 20}), gone: fc.boolean()});
    fc.assert(
      fc.property(fc.array(step, {maxLength: 30}), fc.array(fc.nat({max: 21})), (steps, looks) => {
        const watch = createWatch();
        const model = new Map<string, number>();
        for (const {name, at, gone} of steps) {
          if (gone) {
            watch.delete(name);
            model.delete(name);
          } else {
            watch.set(name, at);
            model.set(name, at);
          }
          for (const look of looks) {
            const expected = [...model].filter(([, time]) => time < look).map(([found]) => found);
            assert.deepEqual([...watch.before(look)].sort(), expected.sort());
          }
        }
      }),
    );
  });
});

describe('wayOf', () => {
  const to = (version: string): Target => ({version, allowDowngrade: false});
  const cases: [string, Parameters<typeof wayOf>, string][] = [
    ['something newer', ['1.0.0', '', to('1.2.0'), []], '1.2.0'],
    ['a stone on the way', ['1.0.0', '', to('1.2.0'), ['1.1.0', '1.0.5']], '1.0.5'],
    ['the next stone', ['1.0.5', '', to('1.2.0'), ['1.1.0', '1.0.5']], '1.1.0'],
    ['no stone beyond the target', ['1.1.0', '', to('1.2.0'), ['1.1.0', '1.3.0']], '1.2.0'],
    ['the same', ['1.2.0', '', to('1.2.0'), []], 'arrived'],
    ['something older', ['1.3.0', '', to('1.2.0'), []], 'arrived'],
    [
      'something older that is meant',
      ['1.3.0', '', {version: '1.2.0', allowDowngrade: true}, ['1.1.0']],
      '1.2.0',
    ],
    ['what the machine does not take', ['1.0.0', '1.1', to('1.2.0'), []], 'aside'],
    ['what it takes', ['1.0.0', '1.2', to('1.2.0'), []], '1.2.0'],
    ['no target', ['1.0.0', '', null, []], 'aside'],
    ['a version that cannot be compared', ['dev', '', to('1.2.0'), []], 'aside'],
  ];
  for (const [name, given, expected] of cases)
    it(`with ${name} is ${expected}`, () => {
      const way = wayOf(...given);
      assert.equal(way.kind === 'to' ? way.version : way.kind, expected);
    });

  it('leads to the pin of a group that has one', () => {
    assert.deepEqual(targetOf({pin: '1.1.0'}, to('1.2.0')), to('1.1.0'));
    assert.deepEqual(targetOf({pin: null}, to('1.2.0')), to('1.2.0'));
  });
});

describe('happeningOf', () => {
  const of = (type: number, result: number, errorCode: number | null = null): string | null =>
    happeningOf({type, result, errorCode, previousVersion: null});
  const cases: [string, string | null, string | null][] = [
    ['a download that began', of(13, 1), 'downloading'],
    ['a download that is complete', of(14, 1), 'downloaded'],
    ['an installation', of(3, 1), 'installed'],
    ['a host that runs', of(3, 2), null],
    ['a bad payload', of(3, 0, 10), 'failed'],
    ['an error without a code', of(3, 0), 'failed'],
    ['flags beside the code', of(3, 0, 44 + 2 ** 28 + 2 ** 30), 'rolled-back'],
    ['a server that was away', of(3, 0, 2503 + 2 ** 28), null],
    ['an answer that was none', of(3, 0, 34), null],
    ['what was stopped', of(3, 4), 'put-off'],
    ['what was put off', of(3, 9, 40), 'put-off'],
    ['what nobody sends', of(800, 1), null],
  ];
  for (const [name, found, expected] of cases)
    it(`takes ${name} for ${expected ?? 'nothing'}`, () => assert.equal(found, expected));
});

describe('reasonToHalt', () => {
  const rules = {
    failed: {machines: 3, share: 0.1},
    rolledBack: {machines: 1, share: 0.02},
    lost: null,
    together: {machines: 4, share: 0},
  };
  const of = (changes: Partial<Outcomes>): Outcomes => ({...NO_OUTCOMES, ...changes});
  const cases: [string, Outcomes, Outcomes, RegExp | null][] = [
    ['nothing', of({}), of({}), null],
    ['one of few that went back', of({good: 49, rolledBack: 1}), of({}), /^1 of 50 .* went back/],
    ['one of many that went back', of({good: 50, rolledBack: 1}), of({}), null],
    ['two failures', of({failed: 2}), of({}), null],
    [
      'three failures',
      of({failed: 3, good: 27}),
      of({}),
      /^3 of 30 .* failed to update; the limit is 3 and 10%/,
    ],
    ['what has no rule', of({lost: 3}), of({}), null],
    ['everything together', of({lost: 3, failed: 1, good: 1000}), of({}), /^4 of 1004/],
    ['what was seen', of({good: 10, rolledBack: 5}), of({good: 10, rolledBack: 5}), null],
    ['more than was seen', of({good: 10, rolledBack: 6}), of({good: 10, rolledBack: 5}), /^1 of 1 /],
  ];
  for (const [name, outcomes, seen, expected] of cases)
    it(`${expected === null ? 'lets pass' : 'stops for'} ${name}`, () => {
      const reason = reasonToHalt(outcomes, seen, rules);
      if (expected === null) assert.equal(reason, null);
      else assert.match(reason ?? '', expected);
    });
});

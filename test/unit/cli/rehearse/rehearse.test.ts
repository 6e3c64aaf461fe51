import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createAgenda} from '../../../../cli/rehearse/agenda.ts';
import {createChance} from '../../../../cli/rehearse/chance.ts';
import {formatSpan, plotSvg, plotText} from '../../../../cli/rehearse/plot.ts';
import {type Rehearsal, type Scenario, rehearse} from '../../../../cli/rehearse/run.ts';
import {type PolicyDocument, parsePolicy} from '../../../../server/rollout/policy.ts';
import {fc} from '../../../support/property.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MACHINES = 400;

function run(policy: Partial<PolicyDocument> = {}, changes: Partial<Scenario> = {}): Rehearsal {
  return rehearse({
    machines: MACHINES,
    seed: '1',
    policy: parsePolicy(policy, 'p'),
    failing: 0.05,
    how: 'rolled-back',
    startAt: Date.UTC(2026, 0, 5, 9),
    limitMs: 100 * HOUR,
    outage: null,
    delays: {downloadMs: 10 * MINUTE, rebootWaitMs: 30 * MINUTE, bootMs: 2 * MINUTE, trialMs: 3 * MINUTE},
    ...changes,
  });
}

describe('createAgenda', () => {
  it('goes by time, and by the order of asking where times are equal', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({max: 20})), (times) => {
        const agenda = createAgenda(0);
        const seen: [number, number][] = [];
        for (const [index, time] of times.entries()) agenda.at(time, () => seen.push([agenda.now(), index]));
        while (agenda.next());
        const expected = times
          .map((time, index): [number, number] => [time, index])
          .sort(([a, i], [b, j]) => a - b || i - j);
        assert.deepEqual(seen, expected);
      }),
    );
  });

  it('does what is asked for meanwhile, never in the past', () => {
    const agenda = createAgenda(10);
    const seen: number[] = [];
    agenda.at(20, () => agenda.at(5, () => seen.push(agenda.now())));
    while (agenda.next());
    assert.deepEqual(seen, [20]);
  });
});

describe('createChance', () => {
  it('is the same for the same seed, and spread', () => {
    const [a, b, other] = [createChance('x'), createChance('x'), createChance('y')];
    const drawn = Array.from({length: 1000}, () => a());
    assert.deepEqual(
      drawn,
      Array.from({length: 1000}, () => b()),
    );
    assert.notEqual(drawn[0], other());
    assert.ok(Math.abs(drawn.reduce((sum, each) => sum + each, 0) / 1000 - 0.5) < 0.03);
  });
});

describe('rehearse', () => {
  it('comes out the same with the same seed', () => {
    assert.deepEqual(run(), run());
    assert.notDeepEqual(run({}, {seed: '2'}).samples, run().samples);
  });

  it('takes a release that is good everywhere', () => {
    const done = run({}, {failing: 0});
    assert.deepEqual([done.good, done.hit, done.halt, done.isOver], [MACHINES, 0, null, true]);
    // A tenth each hour.
    assert.ok(done.ms > 9 * HOUR && done.ms < 13 * HOUR, formatSpan(done.ms));
  });

  it('stops a bad one while most of the fleet has not seen it', () => {
    const {halt, hit, granted, good, isOver, hitBeforeHalt} = run();
    assert.ok(halt !== null && isOver);
    assert.match(halt.reason, /went back to the version before/);
    assert.ok(granted < MACHINES / 2, `${granted} were granted it`);
    assert.ok(hit >= 1 && hit <= 10 && hitBeforeHalt <= hit, `${hit} were hit`);
    assert.equal(good + hit, granted);
  });

  it('hits everyone it can without a policy that halts', () => {
    const halt = {failed: null, rolledBack: null, lost: null, together: null};
    const {hit, granted} = run({pace: 'at once', halt});
    assert.equal(granted, MACHINES);
    assert.ok(Math.abs(hit - MACHINES / 20) < 12, `${hit} were hit`);
  });

  it('hits no more than are in flight at once', () => {
    const {hit, inFlightAtHalt} = run({pace: 'at once', inFlight: 5}, {failing: 1});
    assert.ok(hit <= 5 && inFlightAtHalt <= 5, `${hit} were hit`);
  });

  it('sees machines that do not come back, later than those that say so', () => {
    const {halt, hit} = run({lostAfter: '6h'}, {how: 'lost'});
    assert.ok(halt !== null && halt.ms > 6 * HOUR);
    assert.match(halt.reason, /did not come back/);
    assert.ok(hit >= 1);
  });

  it('goes on after an outage of the server, with hosts that back off', () => {
    const outage = {afterMs: HOUR, lengthMs: 3 * HOUR};
    const [still, away] = [run({}, {failing: 0}), run({}, {failing: 0, outage})];
    assert.equal(away.good, MACHINES);
    // The pace of the group, not the outage, says how long the whole takes.
    assert.ok(away.ms >= still.ms);
    assert.ok(away.checks / away.ms < still.checks / still.ms);
  });

  it('grants in windows only', () => {
    const {samples} = run({windows: '12:00+1h', pace: 'at once'}, {failing: 0, limitMs: 10 * HOUR});
    const during = samples.filter(({ms}) => ms < 3 * HOUR);
    assert.ok(during.length > 5);
    assert.deepEqual([...new Set(during.map(({granted}) => granted))], [0]);
    const last = samples.at(-1);
    assert.ok(last !== undefined && last.granted > MACHINES / 2);
  });
});

describe('plots', () => {
  const rehearsal = run();

  it('have a row for a moment, with all that was hit', () => {
    const rows = plotText(rehearsal, MACHINES, 80).split('\n');
    assert.ok(rows.length > 3 && rows.length <= 17);
    assert.ok(rows.every((row) => row.length <= 80));
    assert.match(rows.at(-1) ?? '', /=#/);
  });

  it('are SVG with one line each and the halt', () => {
    const svg = plotSvg(rehearsal, MACHINES);
    assert.equal(svg.match(/<polyline /g)?.length, 3);
    assert.match(svg, />halted</);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    assert.doesNotMatch(plotSvg(run({}, {failing: 0}), MACHINES), />halted</);
  });
});
